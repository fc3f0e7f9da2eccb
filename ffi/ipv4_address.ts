/**
 * IPv4 addresses as text: four decimal bytes with dots between them.
 *
 * The two directions stand in one file because each is the other's test.
 *
 * @module
 */

const IPV4_TEXT = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/;

/**
 * Reads an IPv4 address such as `10.0.0.1`.
 *
 * A byte with a leading zero is refused: inet_aton(3) reads it as octal, most
 * other programs as decimal.
 *
 * @returns An unsigned 32-bit number: `10.0.0.1` is 0x0a000001.
 * @throws {TypeError} If the text is not four decimal bytes.
 */
export function parseIPv4(text: string): number {
  const bytes = IPV4_TEXT.exec(text)?.slice(1) ?? [];
  if (bytes.length !== 4 || !bytes.every(isPlainByte)) {
    throw new TypeError(
      `Cannot read IPv4 address "${text}": ` +
        `not four numbers from 0 to 255: write it as "10.0.0.1"`,
    );
  }
  return bytes.reduce((address, byte) => address * 256 + Number(byte), 0);
}

/** Writes an IPv4 address, given as an unsigned 32-bit number, with dots. */
export function formatIPv4(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 0xff).join(".");
}

function isPlainByte(text: string): boolean {
  return String(Number(text)) === text && Number(text) <= 255;
}
