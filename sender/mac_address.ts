/**
 * Ethernet addresses as text: six hexadecimal bytes with colons or hyphens
 * between them, as in IEEE Std 802, clause 8.
 *
 * The two directions stand in one file because each is the other's test.
 *
 * @module
 */

const MAC_TEXT = /^[0-9a-f]{2}([:-])(?:[0-9a-f]{2}\1){4}[0-9a-f]{2}$/i;

/**
 * Reads an Ethernet address such as `02:00:00:00:00:01`.
 *
 * @returns Six bytes, in the order of the wire.
 * @throws {TypeError} If the text is not six bytes with one kind of separator.
 */
export function parseMac(text: string): Uint8Array {
  if (!MAC_TEXT.test(text)) {
    throw new TypeError(
      `Cannot read MAC address "${text}": ` +
        `not six hexadecimal bytes: write it as "02:00:00:00:00:01"`,
    );
  }
  return Uint8Array.from(text.split(/[:-]/), (byte) => parseInt(byte, 16));
}

/** Writes an Ethernet address in lower case, with colons. */
export function formatMac(mac: Uint8Array): string {
  return Array.from(mac, (byte) => byte.toString(16).padStart(2, "0")).join(
    ":",
  );
}
