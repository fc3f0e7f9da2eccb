/**
 * Purpose: the 30 expressions of which bench/filter_expressions.bench.ts says how fast they are: in libpcap's
 * language, from the simplest to long ones; of each the traffic of expression_traffic.ts has some packets.
 */
export const EXPRESSIONS: readonly string[] = [
  // One or two fields at fixed places.
  "ip",
  "arp",
  "udp",
  "ip6 and tcp",
  "ip multicast",
  "ether host 02:00:00:00:00:02",
  "len > 500",
  "greater 1000",
  "ip[6:2] & 0x1fff != 0",
  "icmp[icmptype] = icmp-echo or icmp[icmptype] = icmp-echoreply",
  // Addresses and ports, as on any command line.
  "udp dst port 5001",
  "udp dst port 5001 and host 10.0.0.2",
  "dst host 239.1.1.2 and udp",
  "tcp port 80",
  "net 10.0.0.0/8",
  "not (arp or icmp)",
  "port 53 or 80 or 443 or 5001",
  "udp dst portrange 5001-5003",
  "host 10.0.0.2 or 10.0.0.3 or 10.0.0.4 or 192.0.2.7 or 192.0.2.8 or 239.1.1.3",
  "src net 192.0.2.0/24 and not dst port 80",
  // Tags and labels.
  "vlan 100 and udp port 53",
  "mpls 1000 and ip",
  // Arithmetic.
  "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0 and not src and dst net 10.0.0.0/8",
  "tcp[((tcp[12:1] & 0xf0) >> 2):4] = 0x47455420",
  "tcp port 80 and (((ip[2:2] - ((ip[0]&0xf)<<2)) - ((tcp[12]&0xf0)>>2)) != 0)",
  "udp[4:2] - 8 = 14 and udp[2:2] % 2 = 1",
  "ether[0] & 1 != 0 and ip[16] >= 224",
  // Long ones.
  "(udp and dst net 239.1.0.0/16 and (dst port 5001 or dst port 5003)) or " +
  "(tcp and (port 80 or port 443) and not host 192.0.2.9)",
  "ip and not (broadcast or multicast) and (tcp[tcpflags] & tcp-push != 0 or udp port 53 or " +
  "icmp[icmptype] = icmp-unreach) and len <= 600",
  "(ip or ip6) and (tcp or udp) and not port 22 and not (net 172.16.0.0/12 or net 192.168.0.0/16) and " +
  "(portrange 5000-5010 or port 80 or port 443 or port 53) and greater 60 and less 1200",
];
