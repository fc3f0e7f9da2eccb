/**
 * Purpose: takes a netmap port's name apart, with libnetmap's grammar (netmap(4), nmport(3)).
 *
 * ```text
 * name    = ("netmap:" | "vale" [id] ":") port [pipe] [rings] {"/" flags | "@" memory} {"@" option}
 * pipe    = "{" id | "}" id          pipe, master or slave end
 * rings   = "^" [number]             host rings, all or one
 *         | "*"                      NIC and host rings
 *         | "-" number               one NIC ring pair
 * flags   = x exclusive  z zero-copy monitor  t, r monitor transmit, receive  R, T only such rings
 * option  = "share:port=" name | "extmem:file=" path ... | "conf:" key "=" number ... | "offset:initial="
 * ```
 */

/** Register modes (NR_REG_*). */
const MODE = { allNic: 1, host: 2, nicAndHost: 3, oneNic: 4, oneHost: 8 } as const;

/** Register flags (NR_*) by their letters. */
const FLAGS: Record<string, number> = {
  t: 0x100,
  r: 0x200,
  z: 0x400,
  x: 0x800,
  R: 0x2000,
  T: 0x4000,
};

const RING_LIMIT = 0xfff; // NETMAP_RING_MASK
const RINGS_LIMIT = 0xffff; // nr_tx_rings and its like are 16 bits wide
const NUMBER_LIMIT = 0x7fffffff;
const NAME_BYTES = 64; // NETMAP_REQ_IFNAMSIZ, with the zero byte

const CONF_KEYS: Record<string, (keyof NetmapConf)[]> = {
  rings: ["txRings", "rxRings"],
  host_rings: ["hostTxRings", "hostRxRings"],
  slots: ["txSlots", "rxSlots"],
  tx_rings: ["txRings"],
  rx_rings: ["rxRings"],
  host_tx_rings: ["hostTxRings"],
  host_rx_rings: ["hostRxRings"],
  tx_slots: ["txSlots"],
  rx_slots: ["rxSlots"],
};

const EXTMEM_KEYS = ["if_num", "if_size", "ring_num", "ring_size", "buf_num", "buf_size"];

/** Numbers of rings and slots to ask for; 0 leaves the choice to the kernel. */
export interface NetmapConf {
  txRings: number;
  rxRings: number;
  hostTxRings: number;
  hostRxRings: number;
  txSlots: number;
  rxSlots: number;
}

/** What a netmap name asks for. */
export interface NetmapName {
  /** The name for the kernel: `eth0`, `vale0:1`, `x{1`. */
  device: string;
  mode: number;
  ringId: number;
  flags: number;
  memoryId: number;
  conf: NetmapConf;
  /** Port whose memory to share, `""` for none. */
  share: string;
  /** File of external memory, `""` for none, and its six numbers in the order of the keys. */
  extmemFile: string;
  extmem: number[];
  /** Where packets begin in their buffers, in bytes; `undefined`: offsets are not asked for. */
  offset?: { initial: number; bits: number };
}

/**
 * Parses a name that begins with `netmap:` or `vale`.
 *
 * @throws {TypeError} naming what is wrong and where.
 */
export function parseNetmapName(name: string): NetmapName {
  const fail = (state: string): never => {
    throw new TypeError(
      `Cannot parse port name "${name}": ${state}: see netmap(4), for example "netmap:eth0-2"`,
    );
  };
  const prefix = /^(netmap|vale)([^:]*):/.exec(name) ?? fail(`missing ":"`);
  if (prefix[1] === "netmap" && prefix[2] !== "") fail(`"${prefix[2]}" between "netmap" and ":"`);
  if (!/^[A-Za-z0-9_]*$/.test(prefix[2])) fail(`switch name "${prefix[2]}" is not an identifier`);
  const rest = name.slice(prefix[0].length);
  const port = /^[^-*^/@]*/.exec(rest)![0];
  if (port === "") fail("empty port");
  const pipe = /[{}](.*)$/.exec(port);
  if (pipe && !/^[A-Za-z0-9_]+$/.test(pipe[1])) fail(`pipe name "${pipe[1]}" is not an identifier`);
  const device = prefix[1] === "vale" ? prefix[0] + port : port;
  if (device.length >= NAME_BYTES) fail(`longer than ${NAME_BYTES - 1} characters`);
  const parsed = emptyName(device);
  parseOptions(parsed, parseRings(parsed, rest.slice(port.length), fail), fail);
  return parsed;
}

type Fail = (state: string) => never;

function emptyName(device: string): NetmapName {
  return {
    device,
    mode: MODE.allNic,
    ringId: 0,
    flags: 0,
    memoryId: 0,
    conf: { txRings: 0, rxRings: 0, hostTxRings: 0, hostRxRings: 0, txSlots: 0, rxSlots: 0 },
    share: "",
    extmemFile: "",
    extmem: EXTMEM_KEYS.map(() => 0),
  };
}

/** Rings, then flags and memory id in any order; returns what is left: the options, or nothing. */
function parseRings(parsed: NetmapName, text: string, fail: Fail): string {
  const match = /^(?:(\^\d*)|(\*)|-(\d*))?/.exec(text)!;
  const [, host, all, one] = match;
  if (host !== undefined) parsed.mode = host === "^" ? MODE.host : MODE.oneHost;
  if (all !== undefined) parsed.mode = MODE.nicAndHost;
  if (one !== undefined) parsed.mode = MODE.oneNic;
  if (one === "") fail(`no ring number after "-"`);
  const number = one ?? host?.slice(1) ?? "";
  parsed.ringId = Number(number);
  if (parsed.ringId >= RING_LIMIT) fail(`ring ${number} is not below ${RING_LIMIT}`);
  let rest = text.slice(match[0].length);
  for (let suffix; (suffix = /^(?:\/([^@]*)|@(\d+))/.exec(rest)) !== null;) {
    if (suffix[1] !== undefined) parseFlags(parsed, suffix[1], fail);
    else parseMemory(parsed, suffix[2], fail);
    rest = rest.slice(suffix[0].length);
  }
  if (rest !== "" && rest[0] !== "@") fail(`unexpected "${rest}"`);
  return rest;
}

function parseFlags(parsed: NetmapName, letters: string, fail: Fail): void {
  if (letters === "") fail(`no flags after "/"`);
  for (const letter of letters) parsed.flags |= FLAGS[letter] ?? fail(`unknown flag "${letter}"`);
}

function parseMemory(parsed: NetmapName, digits: string, fail: Fail): void {
  const id = Number(digits);
  if (id < 1 || id > 0xffff) fail(`memory ${digits} is not 1 to 65535`);
  if (parsed.memoryId !== 0 && parsed.memoryId !== id) fail("two memories");
  parsed.memoryId = id;
}

function parseOptions(parsed: NetmapName, text: string, fail: Fail): void {
  if (text === "") return;
  for (const option of text.slice(1).split("@")) {
    if (option === "") fail("empty option");
    const [, kind, separator, body] = /^([^:=]*)([:=]?)(.*)$/s.exec(option)!;
    const defaultKey = { share: "port", extmem: "file", offset: "initial" }[kind];
    if (separator === "=" && !defaultKey) fail(`"=" after "${kind}"`);
    if (separator === "" && (defaultKey || kind === "conf")) fail(`nothing after "${kind}"`);
    const pairs = separator === "=" ? `${defaultKey}=${body}` : body;
    parseOption(parsed, kind, keysOf(pairs, kind, fail), fail);
  }
}

function keysOf(text: string, kind: string, fail: Fail): Map<string, string> {
  const keys = new Map<string, string>();
  for (const pair of text === "" ? [] : text.split(",")) {
    const [, key, value] = /^([^=]*)=(.+)$/s.exec(pair) ??
      fail(`no value for "${pair}" of "${kind}"`);
    const spelled = key.replaceAll("-", "_");
    if (keys.has(spelled)) fail(`"${spelled}" of "${kind}" twice`);
    keys.set(spelled, value);
  }
  return keys;
}

function parseOption(
  parsed: NetmapName,
  kind: string,
  keys: Map<string, string>,
  fail: Fail,
): void {
  const number = (key: string) => {
    const value = keys.get(key)!, limit = key.endsWith("rings") ? RINGS_LIMIT : NUMBER_LIMIT;
    if (!/^\d+$/.test(value)) fail(`"${key}" is not a number: "${value}"`);
    return Number(value) <= limit ? Number(value) : fail(`"${key}" is above ${limit}: "${value}"`);
  };
  const only = (allowed: string[], needed?: string) => {
    for (const key of keys.keys()) {
      if (!allowed.includes(key)) fail(`unknown key "${key}" of "${kind}"`);
    }
    if (needed && !keys.has(needed)) fail(`"${kind}" needs "${needed}"`);
  };
  if (kind === "conf") {
    only(Object.keys(CONF_KEYS));
    // The plural keys first, so that a single one refines them whatever the order.
    for (const [key, fields] of Object.entries(CONF_KEYS)) {
      if (keys.has(key)) { for (const field of fields) parsed.conf[field] = number(key); }
    }
  } else if (kind === "share") {
    only(["port"], "port");
    parsed.share = parseNetmapName(keys.get("port")!).device;
  } else if (kind === "extmem") {
    only(["file", ...EXTMEM_KEYS], "file");
    parsed.extmemFile = keys.get("file")!;
    parsed.extmem = EXTMEM_KEYS.map((key) => keys.has(key) ? number(key) : 0);
  } else if (kind === "offset") {
    only(["initial", "bits"], "initial");
    parsed.offset = { initial: number("initial"), bits: keys.has("bits") ? number("bits") : 0 };
  } else {
    fail(`unknown option "${kind}"`);
  }
}
