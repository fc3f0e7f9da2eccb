/**
 * Purpose: the text of a systemd unit for a capture. Everything is refused that a capture can do without; a
 * comment says why where a setting is not the strictest. See systemd.service(5), systemd.exec(5).
 *
 * ```text
 *  [Unit]     with its interface, if it has one: comes and goes with it
 *  [Service]  what runs, as whom, on which cores; then what it may do
 *  [Install]  at boot, and when the interface appears
 * ```
 */
import { deviceUnit, execWord, settingWord, shellWord } from "./quoting.ts";
import { needsOf, type ServiceNeeds } from "./service_needs.ts";
import type { ServiceOptions } from "./service_options.ts";

/** The user where it must be one that others know. */
const KNOWN_USER = "uspf";

/** What holds for every port. */
const HARDENING = [
  "NoNewPrivileges=yes",
  "ProtectSystem=strict",
  "ProtectHome=yes",
  "PrivateTmp=yes",
  "PrivateMounts=yes",
  "ProtectProc=invisible",
  "ProcSubset=pid",
  "ProtectClock=yes",
  "ProtectControlGroups=yes",
  "ProtectHostname=yes",
  "ProtectKernelLogs=yes",
  "ProtectKernelModules=yes",
  "ProtectKernelTunables=yes",
  "RestrictNamespaces=yes",
  "RestrictSUIDSGID=yes",
  "LockPersonality=yes",
  "# A thread that spins at real time would starve the kernel's own threads on its core.",
  "RestrictRealtime=yes",
  "# V8 compiles the packet loop while it runs.",
  "MemoryDenyWriteExecute=no",
];

/** The unit's text. */
export function unitOf(options: ServiceOptions): string {
  const needs = needsOf(options), user = options.user ?? (needs.knownUser ? KNOWN_USER : undefined);
  return [
    header(options, needs, user),
    ["[Unit]", ...unitLines(options, needs)],
    [
      "[Service]",
      ...runLines(options),
      "",
      ...userLines(user, needs),
      ...coreLines(options),
      "",
      ...HARDENING,
      ...deviceLines(needs),
      ...networkLines(needs),
      ...systemCallLines(options),
      ...fileLines(needs),
    ],
    ["[Install]", `WantedBy=${["multi-user.target", ...deviceUnits(needs)].join(" ")}`],
  ].map((section) => section.join("\n")).join("\n\n");
}

function header({ args, name }: ServiceOptions, needs: ServiceNeeds, user?: string): string[] {
  const unit = `uspf-${name}`, steps = [`systemctl enable --now ${unit}`, `journalctl -fu ${unit}`];
  if (needs.device !== undefined) {
    const rule = `KERNEL=="netmap", GROUP="${user}", MODE="0660"`;
    steps.unshift(`echo '${rule}' > /etc/udev/rules.d/60-netmap.rules  # then load netmap anew`);
  }
  for (const { path, make } of needs.writable) {
    if (!make) continue;
    const directory = shellWord(path); // one that is there keeps its owner and mode
    steps.unshift(`test -d ${directory} || install -d -o ${user} -g ${user} ${directory}`);
  }
  if (user !== undefined) {
    steps.unshift(
      `useradd --system --no-create-home --shell /usr/sbin/nologin ${user}  # if need be`,
    );
  }
  return [
    `# Made by: deno task service ${args.map(shellWord).join(" ")}`,
    `# For /etc/systemd/system/${unit}.service; then, as root:`,
    ...steps.map((step) => `#   ${step}`),
  ];
}

function unitLines({ port }: ServiceOptions, needs: ServiceNeeds): string[] {
  const devices = deviceUnits(needs), online = needs.network === "open";
  return [
    `Description=uspf capture from ${
      port.text.replace(/[^\x20-\x7e]|\\/g, "?").replaceAll("%", "%%")
    }`,
    ...(online ? ["Wants=network-online.target"] : []),
    `After=${[online ? "network-online.target" : "network.target", ...devices].join(" ")}`,
    ...devices.map((device) => `BindsTo=${device}`),
    "# Ten failures within five minutes: something is wrong that no restart mends.",
    "StartLimitIntervalSec=5min",
    "StartLimitBurst=10",
  ];
}

function deviceUnits(needs: ServiceNeeds): string[] {
  return needs.interface === undefined ? [] : [deviceUnit(needs.interface)];
}

function runLines({ program, args, name, port, capture }: ServiceOptions): string[] {
  return [
    "Type=exec",
    `ExecStart=${[program, ...args.map(execWord)].join(" ")}`,
    `SyslogIdentifier=uspf-${name}`,
    ...(capture.quiet || capture.json || capture.log === "json"
      ? []
      : ["# A line a second goes to the journal: with --quiet only the summary."]),
    "# Exit code 2 says that an option is wrong, which it would be the next time, too.",
    "Restart=on-failure",
    "RestartSec=2s",
    "RestartPreventExitStatus=2",
    "# It then drains its rings, closes its files and writes the summary.",
    "KillSignal=SIGTERM",
    "TimeoutStopSec=10s",
    "OOMScoreAdjust=-500",
    "LimitNOFILE=8192",
    ...(port.kind === "xdp"
      ? ["# The rings of an xdp port are locked memory.", "LimitMEMLOCK=infinity"]
      : []),
  ];
}

function userLines(user: string | undefined, { capabilities }: ServiceNeeds): string[] {
  const whom = user === undefined
    ? [
      "# Nothing that it leaves has an owner: a user that is there while it runs will do.",
      "DynamicUser=yes",
    ]
    : [`User=${user}`, `Group=${user}`];
  return [
    ...whom,
    `AmbientCapabilities=${capabilities.join(" ")}`,
    `CapabilityBoundingSet=${capabilities.join(" ")}`,
  ];
}

function coreLines({ cores, capture: { core, engineCore } }: ServiceOptions): string[] {
  if (cores !== undefined) {
    return [
      "# Of all threads; capture and engine stay on their own of these.",
      `CPUAffinity=${cores.join(" ")}`,
    ];
  }
  if (core === undefined && engineCore === undefined) return [];
  return [
    "# Isolated cores (isolcpus) are not among those that it gets: --cores names all that it needs.",
  ];
}

/** /dev/shm, where soft ports meet, is there also among private devices. */
function deviceLines({ device, capabilities }: ServiceNeeds): string[] {
  return [
    "DevicePolicy=closed",
    ...(device === undefined ? ["PrivateDevices=yes"] : [
      "# Private devices would be without it.",
      "PrivateDevices=no",
      `DeviceAllow=${device} rw`,
    ]),
    ...(capabilities.length === 0 ? ["PrivateUsers=yes"] : [
      "# Capabilities for the host's network hold in the host's user namespace alone.",
      "PrivateUsers=no",
    ]),
  ];
}

function networkLines({ network, families }: ServiceNeeds): string[] {
  const lines = [
    `PrivateNetwork=${network === "none" ? "yes" : "no"}`,
    `RestrictAddressFamilies=${families.join(" ") || "none"}`,
  ];
  if (network === "open") return lines;
  return [
    ...lines,
    "IPAddressDeny=any",
    ...(network === "loopback" ? ["IPAddressAllow=localhost"] : []),
  ];
}

/** Threads pin themselves to their cores; xdp loads its program. A call that is not there fails, and kills nobody. */
function systemCallLines({ port }: ServiceOptions): string[] {
  const more = ["sched_setaffinity", ...(port.kind === "xdp" ? ["bpf"] : [])];
  return [
    "SystemCallArchitectures=native",
    "SystemCallFilter=@system-service",
    "SystemCallFilter=~@privileged @resources",
    `SystemCallFilter=${more.join(" ")}`,
    "SystemCallErrorNumber=EPERM",
  ];
}

/** What it writes is for its group to read. */
function fileLines({ writable }: ServiceNeeds): string[] {
  const lines = writable.map(({ setting, path }) => `${setting}=${settingWord(path)}`);
  return [...new Set(lines), `UMask=${writable.length > 0 ? "0027" : "0077"}`];
}
