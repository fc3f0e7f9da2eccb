/**
 * Purpose: the memory of soft switches and pipes, in bytes: the numbers of soft.h, which draws it.
 */
export const SOFT = {
  kind: 2, // USPF_SOFT
  switch: 1,
  pipe: 2,
  wake: 1,
  reap: 2,
  ports: 56,
  slots: 1024,
  bufferBytes: 2112,
  header: { generation: 24, addresses: 28 },
  members: 4096,
  memberBytes: 64,
  addresses: 8192,
  addressCount: 1024,
  doorbells: 16384,
  doorbellBytes: 256,
  rings: 32768,
  link: { tail: 0, lost: 8, head: 128, lostBefore: 136, bytes: 256 },
  switchBlock: 2183168,
  pipeBlock: 20480,
  pipeDirection: 2 * 20480 + 2 * 1024 * 2112,
} as const;

/** Byte offset of the transmit ring's block of a switch port. */
export function switchTxBlock(port: number): number {
  return SOFT.rings + port * SOFT.switchBlock;
}

/** Byte offset of the block of the ring that `receiver` has for `sender`. */
export function laneBlock(receiver: number, sender: number): number {
  return SOFT.rings + (SOFT.ports + receiver * SOFT.ports + sender) * SOFT.switchBlock;
}

/** Byte offset of a pipe ring's block; `direction` is the sending end. */
export function pipeBlock(direction: number, receive: boolean): number {
  return SOFT.rings + direction * SOFT.pipeDirection + (receive ? SOFT.pipeBlock : 0);
}

/** The state and the remedy of an errno from joining a switch or a pipe. */
export function explainSoft(code: string, path: string): string | undefined {
  switch (code) {
    case "EBUSY":
      return "the port is taken: choose another name, or end the program that has it";
    case "EPROTO":
      return `it was made by an incompatible version of uspf: end the programs that use it, ` +
        `then remove "${path}"`;
    case "ENOSPC":
      return `no room: at most ${SOFT.ports} ports a switch, and a few MB free in /dev/shm`;
    case "EACCES":
      return `"${path}" belongs to another user: choose another name`;
    case "ETIMEDOUT":
      return "another program has been joining for two seconds: continue or end it";
    case "ENOENT":
      return "there is no /dev/shm: mount a tmpfs there";
  }
}
