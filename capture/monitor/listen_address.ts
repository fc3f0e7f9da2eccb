/**
 * Purpose: an address to listen on, as `--metrics` and `--dashboard` take it.
 */

/** A host and port, taken apart. */
export interface ListenAddress {
  /** As it was written, which is also the name of its permission. */
  text: string;
  /** A name, an IPv4 address, or an IPv6 address without its brackets. */
  hostname: string;
  /** 0: any free port. */
  port: number;
}

/**
 * Parses "127.0.0.1:9464", "localhost:9464" or "[::1]:9464".
 *
 * @throws {TypeError} for anything else.
 */
export function parseListenAddress(text: string): ListenAddress {
  const parts = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/.exec(text);
  const port = Number(parts?.[3]);
  if (parts === null || port > 65535 || !isHost(parts[2])) {
    throw new TypeError(
      `Cannot listen on "${text}": not an address and a port: write it like "127.0.0.1:9464"`,
    );
  }
  return { text, hostname: parts[1] ?? parts[2], port };
}

/** Names as of RFC 1123, and IPv4 addresses; of IPv6 addresses the brackets say enough. */
function isHost(name: string | undefined): boolean {
  if (name === undefined) return true;
  const labels = name.split(".");
  if (labels.every((label) => /^\d+$/.test(label))) {
    return labels.length === 4 && labels.every((label) => Number(label) < 256);
  }
  return labels.every((label) => /^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$/.test(label));
}
