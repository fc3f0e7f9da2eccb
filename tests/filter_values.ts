/**
 * Purpose: the few addresses, ports and numbers that packets and expressions of the filter's tests have in
 * common, so that expressions hit.
 */

/** Addresses of stations, a broadcast one and several multicast ones. */
export const ETHERNET = [
  "02:00:00:00:00:01",
  "02:00:00:00:00:02",
  "00:11:22:33:44:55",
  "aa:00:04:00:01:04",
  "ff:ff:ff:ff:ff:ff",
  "01:00:5e:00:00:01",
  "33:33:00:00:00:01",
  "01:80:c2:00:00:00",
] as const;
export const IPV4 = [
  "10.0.0.1",
  "10.0.0.2",
  "10.1.2.3",
  "192.168.0.1",
  "192.168.1.255",
  "172.16.5.4",
  "128.3.1.1",
  "224.0.0.1",
  "239.1.1.1",
  "255.255.255.255",
  "0.0.0.0",
] as const;
export const IPV6 = [
  "2001:db8::1",
  "2001:db8::2",
  "2001:db8:0:1::1",
  "fe80::1",
  "ff02::1",
  "ff02::1:ff00:1",
  "::1",
  "::",
] as const;
export const PORTS = [22, 53, 67, 80, 443, 5001, 5002, 8080, 6081, 0, 65535] as const;
export const VLANS = [0, 1, 7, 100, 4095] as const;
export const LABELS = [0, 16, 1024, 1048575] as const;
export const SESSIONS = [1, 2, 65535] as const;
export const NETWORK_IDS = [0, 1, 0xabcdef] as const;
/** Of IPv4, and the next header of IPv6. */
export const PROTOCOLS = [
  1,
  2,
  4,
  6,
  9,
  17,
  41,
  47,
  50,
  51,
  58,
  59,
  89,
  103,
  112,
  132,
  255,
] as const;
/** As in DECnet packets: area 1 node 1, area 63 node 1023, … */
export const DECNET = ["1.1", "1.2", "63.1023"] as const;
/** EtherTypes that pcap-filter(7) has names for, and others. */
export const ETHER_TYPES = [
  ...[0x0800, 0x0806, 0x8035, 0x86dd, 0x8100, 0x88a8, 0x9100, 0x8847, 0x8848, 0x8863, 0x8864],
  ...[0x6001, 0x6002, 0x6003, 0x6004, 0x6007, 0x809b, 0x80f3, 0x8137, 0x0600, 0x05dc, 0x88cc],
] as const;
