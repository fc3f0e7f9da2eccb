/**
 * Purpose: expressions of the filter's language that tcpdump judges, too: those of everyday, every primitive
 * of pcap-filter(7) for Ethernet with every qualifier, every pair of primitives; and those that are refused.
 */

/** Of everyday use: what people type, and what manuals show. */
export const EVERYDAY = lines(String.raw`

  host 10.0.0.1
  src host 10.0.0.1
  dst host 10.0.0.2
  net 10.0.0.0/8
  net 192.168
  src net 192.168.0.0 mask 255.255.0.0
  port 53
  udp port 5001
  tcp dst port 443
  tcp port 80 or 443
  tcp port 80 or tcp port 443 or tcp port 8080
  portrange 5000-5010
  udp and dst portrange 5001-5002
  udp dst port 5001 and host 10.0.0.2
  host 10.0.0.1 and not port 22
  host 10.0.0.1 and (port 80 or port 443)
  not arp and not icmp
  arp or icmp
  icmp[icmptype] == icmp-echo
  icmp[icmptype] = icmp-echo or icmp[icmptype] = icmp-echoreply
  icmp[icmptype] != icmp-echo and icmp[icmptype] != icmp-echoreply
  icmp6[icmp6type] == icmp6-neighborsolicit
  icmp6 and ip6[40] == 135
  tcp[tcpflags] & tcp-syn != 0
  tcp[tcpflags] & (tcp-syn|tcp-fin) != 0
  tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn
  tcp[tcpflags] == tcp-syn|tcp-ack
  tcp[13] & 2 != 0 and tcp[13] & 16 == 0
  tcp[tcpflags] & tcp-rst != 0 or tcp[tcpflags] & tcp-push != 0
  tcp port 80 and (((ip[2:2] - ((ip[0]&0xf)<<2)) - ((tcp[12]&0xf0)>>2)) != 0)
  tcp[((tcp[12:1] & 0xf0) >> 2):4] = 0x47455420
  tcp port 80 and tcp[((tcp[12:1] & 0xf0) >> 2):4] = 0x48545450
  ip[0] & 0xf != 5
  ip[6:2] & 0x1fff = 0
  ip[6] & 0x40 != 0
  ip[6:2] & 0x3fff != 0
  ip[8] < 65
  ip[2:2] > 576
  ip[16] >= 224
  ether[0] & 1 = 0 and ip[16] >= 224
  ether[0] & 1 != 0
  ether[12:2] = 0x0806
  ether proto 0x88cc
  ether proto \ip and host 10.0.0.1
  ether broadcast
  ether multicast
  ip broadcast
  ip multicast
  ip6 multicast
  broadcast or multicast
  ether host 02:00:00:00:00:01
  ether src 02:00:00:00:00:01
  ether dst ff:ff:ff:ff:ff:ff
  vlan
  vlan 7
  vlan 7 and ip
  vlan 100 and vlan 7
  vlan and vlan and ip6
  vlan and host 10.0.0.1
  host 10.0.0.1 or (vlan and host 10.0.0.1)
  (vlan 7 or vlan 100) and udp port 5001
  mpls
  mpls 1024
  mpls 16 and mpls 1024
  mpls and host 10.0.0.1
  mpls 16 and ip6
  pppoed
  pppoes
  pppoes 1
  pppoes 1 and ip
  pppoes and host 10.0.0.1
  pppoed or pppoes
  geneve
  geneve 1
  geneve 1 and ip
  geneve and host 10.0.0.1
  geneve and tcp port 80
  udp port 6081 and geneve
  ip6
  ip6 host fe80::1
  ip6 and udp
  ip6 net 2001:db8::/32
  src net 2001:db8::/64
  host 2001:db8::1 and tcp port 443
  dst host ff02::1
  ip6 proto 58
  ip proto 89
  ip proto \tcp
  proto 17
  less 64
  greater 100
  len <= 64
  len > 60 and len < 100
  udp[8:4] = 0x01000000
  udp[4:2] = 22
  udp[4:2] == 22 and udp dst port 5001
  udp port 5001 and udp[12] <= 2 and udp[13] <= 1
  stp
  stp or llc
  not stp and not ether multicast
  ip and not tcp and not udp and not icmp
  igmp or pim or vrrp
  ah or esp
  ip proto 47
  port domain
  udp port domain or tcp port domain
  port http or port https
  port ssh
  udp port 67 or udp port 68
  src port 22 and dst port 5001
  src or dst port 22
  src and dst port 5001
`);

/** The words that stand for a protocol, alone. */
const PROTOCOL_WORDS = words(
  "ip ip6 arp rarp tcp udp sctp icmp icmp6 igmp igrp pim vrrp carp ah esp " +
    "atalk decnet lat sca moprc mopdl iso esis es-is isis is-is clnp l1 l2 iih lsp snp csnp psnp stp " +
    "ipx netbeui",
);

const LLC_TYPES = words(
  "i s u rr rnr rej ui ua disc dm sabme test xid frmr",
);

/** Every primitive, in every form. */
export const PRIMITIVES = [
  ...PROTOCOL_WORDS,
  ...PROTOCOL_WORDS.map((word) => `not ${word}`),
  "llc",
  ...LLC_TYPES.map((type) => `llc ${type}`),
  ...qualified(["", "ip ", "arp ", "rarp "], ["", "host ", "net "], "10.0.0.1"),
  ...qualified(["", "ip6 "], ["", "host ", "net "], "2001:db8::1"),
  ...qualified(["ether "], ["", "host "], "02:00:00:00:00:01"),
  ...qualified(["link ", "fddi ", "tr ", "wlan "], ["host "], "ff:ff:ff:ff:ff:ff"),
  ...qualified(["", "tcp ", "udp ", "sctp "], ["port "], "5001"),
  ...qualified(["", "tcp ", "udp ", "sctp "], ["portrange "], "5001-8080"),
  ...qualified(["decnet "], ["", "host "], "1.1"),
  ...lines(String.raw`
  ether proto 0x0800
  ether proto 2048
  ether proto 04000
  ether proto \arp
  ether proto \rarp
  ether proto \ip6
  ether proto \atalk
  ether proto \aarp
  ether proto \decnet
  ether proto \lat
  ether proto \moprc
  ether proto \mopdl
  ether proto \iso
  ether proto \stp
  ether proto \ipx
  ether proto \netbeui
  ether proto \loopback
  ether proto \sca
  ether proto 0x42
  ether proto 0xe0
  ether proto 0xf0
  ether proto 0xfe
  ether proto 0xaa
  ether proto 0x06
  ether proto 34
  ether proto 1500
  ether proto 1501
  ether proto 1536
  ether proto 0x809b
  ether proto 0x80f3
  ether proto 0x8137
  ether proto 0x8100
  ether proto 0x8847
  ether proto 65535
  ether proto 0x10800
  ip proto 6
  ip proto \udp
  ip proto \icmp
  ip proto \sctp
  ip proto \igmp
  ip proto 255
  ip6 proto 6
  ip6 proto \udp
  ip6 proto \ipv6-icmp
  ip6 proto 44
  ip6 proto 0
  ip6 proto 51
  proto 6
  proto \tcp
  proto \ospf
  proto 132
  proto 0
  iso proto 0x83
  iso proto \isis
  iso proto \esis
  iso proto \clnp
  isis proto 15
  isis proto 27
  broadcast
  multicast
  link broadcast
  link multicast
  ether broadcast
  ip multicast
  ip6 multicast
  vlan 0
  vlan 1
  vlan 4095
  vlan (7)
  mpls 0
  mpls 1048575
  pppoes 2
  pppoes 65535
  geneve 0
  geneve 0xabcdef
  less 0
  less 42
  greater 0
  greater 1500
  byte 12 = 8
  byte 0 & 1
  byte 23 | 0
  byte 14 > 0x60
  byte 14 < 0x46
  byte 200 = 7
  net 10
  net 10.1
  net 10.1.2
  net 10.1.2.3
  net 10.0.0.0/9
  net 10.0.0.0/32
  net 0.0.0.0/0
  net 128.0.0.0/1
  net 10.0.0.0 mask 255.0.0.0
  net 10.1.2.0 mask 255.255.255.0
  net 10.0.0.1 mask 255.0.0.255
  src net 10
  dst net 224.0.0.0/4
  src or dst net 192.168.0.0/16
  src and dst net 10.0.0.0/8
  arp net 10
  rarp src net 10
  net 2001:db8::/48
  net fe80::/10
  net ::/0
  net 2001:db8::1/128
  net 2001:db8::/33
  ip6 src net ff00::/8
  dst net 2001:db8:0:1::/64
  host ::1
  host ::
  host ::ffff:10.0.0.1
  host 2001:0db8:0000:0000:0000:0000:0000:0001
  host 1:2:3:4:5:6:7:8
  host 10.1
  host 10
  src host 10.1.2
  host 0x0a000001
  host 167772161
  host 012.0.0.1
  ether host 0200.0000.0001
  ether host 020000000001
  ether src 2:0:0:0:0:1
  ether dst 01-00-5e-00-00-01
  ether host 01.00.5e.00.00.01
  port 0
  port 65535
  port 0x1389
  port 011611
  port http
  tcp port ssh
  udp dst port domain
  dst port bootps
  portrange 0-65535
  portrange 5001-5001
  portrange 8080-5001
  portrange 80
  tcp portrange http-https
  portrange 1024
  decnet src 63.1023
  decnet net 1
  decnet host 10.0.0.1
  portrange 5
  net 10.0.0.0 mask 255.0.0
  byte 0 == 5
  decnet dst host 1.2
  ip host 10.0.0.1
  ip src or dst host 10.0.0.1
  ip dst or src 10.0.0.1
  src and dst host 10.0.0.1
  dst and src net 10.0.0.0/8
  tcp src or dst port 80
  wlan host 02:00:00:00:00:01
  link proto 0x0800
`),
];

/** Calculations with the packet's bytes. */
export const ARITHMETIC = [
  ...words(
    "ether ip ip6 arp rarp tcp udp sctp icmp igmp igrp pim vrrp carp icmp6 atalk decnet lat " +
      "moprc mopdl sca link",
  )
    .flatMap((word) => [`${word}[0] != 0`, `${word}[2:2] > 20`, `${word}[4:4] & 0xff00 == 0`]),
  ...words("+ - * / % & | ^ << >>").flatMap((operator) => [
    `ip[8] ${operator} 3 > 60`,
    `(ip[9] ${operator} ip[8]) & 7 = 1`,
    `1000 ${operator} udp[5] != 1000`,
    `len ${operator} 5 = 65`,
    `ip[10] ${operator} (ip[1] + 2) < 3`,
  ]),
  ...words("= == != < <= > >=").flatMap((relation) => [
    `ip[8] ${relation} 64`,
    `len ${relation} 60`,
    `udp[0:2] ${relation} udp[2:2]`,
    `ether[12:2] ${relation} 0x0800`,
    `60 ${relation} len`,
    `ip[16:4] ${relation} 0x80000000`,
    `-1 ${relation} ip[0]`,
  ]),
  ...lines(String.raw`
  -ip[0] = 0xffffffbb
  - 5 + ip[0] > 10
  -(ip[0]) & 0xff = 0xbb
  ip[0] - 70 > 0
  ip[0] - 69 = 0
  ip[0] * 0x10000000 = 0x50000000
  ip[0:4] * ip[4:4] > 5
  ip[4:4] << 31 != 0
  ip[0] << ip[8] = 0
  ip[0] >> 2 << 2 = 68
  1 << 3 = 8 and ip
  ip[0] & 0xf << 2 = 20
  (ip[0] & 0xf) << 2 = 20
  ip[0] & 15 | 64 = 69
  ip[0] + 2 * 3 = 75
  (ip[0] + 2) * 3 = 213
  ip[0] - 1 - 1 = 67
  ip[0] / 2 / 2 = 17
  ip[0] ^ 0x45 = 0
  ip[0] ^ 1 + 1 = 71
  ip[0] % 10 * 2 = 18
  ip[0] & 1 | 2 ^ 3 = 2
  ip[0] / ip[1] = 0
  not ip[0] / ip[1] = 0
  ip[0] % ip[1] != 3
  ip[ip[0] & 0xf] = 0
  ip[ip[9]] > 1
  ip[ip[8] - 60] = 0
  ip[(ip[0] & 15) * 4:2] = 5001
  ip[((ip[0] & 15) << 2) + 2:2] = 5001
  ether[14 + 9] = 17
  ether[len - 1] = 0
  ether[len - 4:4] = 0
  ether[len] = 0
  not ether[len] = 0
  ether[100] = 0
  not ether[100] = 0
  ether[100] = 0 or ip
  ip or ether[100] = 0
  ether[65535] = 1
  ether[0x7fffffff] = 1
  ether[0xffffffff] = 1
  ether[0xfffffffe:4] = 1
  ether[4294967295] != 1
  ip[0xfffffff8:4] != 1
  tcp[0xfffffff0:4] != 1
  ether[ip[0] - 70] = 1
  ether[-1] = 1
  ip[1 - 2] = 0
  tcp[100:4] != 0
  tcp[tcp[12] >> 2] = 71
  udp[udp[5]] != 0
  len = len
  len - len = 0
  len + ip[0] = len
  len & 1 = 1
  len / 2 * 2 = len
  5 = 5
  5 > 6 or ip
  1 = 1 and tcp
  2 + 3 = 5 and udp
  0 = 0
  ip[0] = ip[0]
  ether[0:4] = ether[6:4]
  ether[0:4] = ether[6:4] and ether[4:2] = ether[10:2]
  ip[12:4] = ip[16:4]
  ip[12:4] > ip[16:4]
  ip6[8:4] = ip6[24:4]
  tcp[0:2] = tcp[2:2]
  tcp[4:4] + 1000 = tcp[8:4]
  icmp[0] = 8 and icmp[1] = 0
  icmp6[0] = 128 or icmp6[0] = 129
  icmp6[icmp6type] = icmp6-echo
  icmp6[icmp6code] = 0
  icmp[icmpcode] = 3
  icmp[icmptype] = icmp-unreach
  icmp[icmptype] = icmp-timxceed
  tcp[tcpflags] = tcp-ack
  tcp[tcpflags] & (tcp-urg|tcp-push|tcp-ece|tcp-cwr) != 0
  tcp[tcpflags] & tcp-fin = tcp-fin
  tcp[tcpflags] & (tcp-syn|tcp-rst) == (tcp-syn|tcp-rst)
  ip6[6] = 58
  ip6[40] = 128
  ip6[40:2] = 5001
  arp[6:2] = 1
  arp[6:2] = 2 and arp[14:4] = 0x0a000001
  rarp[6:2] = 3
  ip[0x10] = 10
  ip[020] = 10
  ip[0]=69
  ip[0]&0xf=5
  ip [ 0 ] & 0xf = 5
  igmp[0] = 0x16
  pim[0] = 3
  vrrp[0] > 2
  sctp[0:2] = 5001
  sctp[12] = 1
  (ip[0]) = 69
  ((ip[0])) = (69)
  (69) = ip[0]
  ((5)) < (ip[0] & 15)
`),
];

/** What binds how: and and or alike from the left, not, lists of values, parentheses. */
export const PRECEDENCE = lines(String.raw`
  ip or tcp and port 80
  tcp and port 80 or arp
  arp or tcp and port 80 or icmp
  arp and ip or udp
  (arp or tcp) and port 80
  arp or (tcp and port 80)
  not tcp and port 80
  not (tcp and port 80)
  not tcp or port 80
  not not tcp
  ! tcp
  !tcp && !udp
  !(tcp || udp)
  not not not arp
  tcp && port 80 || arp
  ip and not host 10.0.0.1
  not host 10.0.0.1 and not host 10.0.0.2
  not (host 10.0.0.1 or host 10.0.0.2)
  port 80 or 443
  port 80 or 443 or 22
  port 80 or 443 and tcp
  tcp and port 80 or 443
  port 80 and 5001
  port (80 or 443)
  port (80 or 443) and tcp
  port not 80
  not port 80 or 443
  port 80 or not 443
  port (80 or not 443)
  tcp port 80 or 443
  tcp dst port (80 or 443 or 5001)
  host 10.0.0.1 or 10.0.0.2
  host 10.0.0.1 and 10.0.0.2
  host (10.0.0.1 or 10.0.0.2)
  host (10.0.0.1 and 10.0.0.2)
  host 10.0.0.1 or 10.0.0.2 and port 80
  host not 10.0.0.1
  src host 10.0.0.1 or 10.0.0.2
  src 10.0.0.1 or 10.0.0.2
  src 10.0.0.1 and dst 10.0.0.2
  src host (10.0.0.1 or 10.0.0.2) and dst port 5001
  dst host 10.0.0.1 or port 80 or 443
  host 10.0.0.1 and not 10.0.0.2
  net 10 or 192.168
  net 10.0.0.0/8 or 192.168.0.0/16
  net (10.0.0.0/8 or 192.168.0.0/16) and udp
  src net 10 or 172.16.0.0/12 or 128.3
  ether host 02:00:00:00:00:01 or 02:00:00:00:00:02
  ether src 02:00:00:00:00:01 or 00:11:22:33:44:55 and ip
  ip6 host fe80::1 or 2001:db8::1
  host 10.0.0.1 or 2001:db8::1
  host 2001:db8::1 or 10.0.0.1
  portrange 1-100 or 5001-5002
  ip proto 6 or 17
  ip proto (6 or 17)
  ip proto \tcp or \udp
  ether proto \ip or \arp
  ether proto (\ip or \ip6)
  proto 6 or 17 and port 80
  (vlan 7) and (tcp)
  ((((tcp))))
  (tcp) and ((udp) or (ip))
  ( ( host 10.0.0.1 or 10.0.0.2 ) and ( port 80 or 443 ) )
  tcp or udp or icmp or arp or ip6
  ip and tcp and port 80 and host 10.0.0.1
  not ip and not arp and not ip6
  not port 80 and not port 443
  not (port 80 or 443)
  tcp port (http or https)
  not ether broadcast
  not broadcast and not multicast
  (ip[0] = 69) or arp
  (ip[0] & 15 = 5) and (tcp or udp)
  not ip[0] = 69
  not (ip[0] = 69 and tcp)
  len > 60 or arp
  not less 60
  not greater 60 or arp
  tcp[0:2] = 80 or tcp[2:2] = 80
  host 10.0.0.1 or host 10.0.0.2 and not port 22 or arp
`);

/** What changes the meaning of all that follows: layers within layers. */
export const NESTED = lines(String.raw`
  vlan and tcp
  tcp and vlan
  tcp or vlan
  vlan or tcp
  vlan or vlan
  vlan or vlan 7
  not vlan
  not vlan and tcp
  not vlan and not tcp
  not (vlan and tcp)
  vlan 7 or tcp port 80
  vlan 7 and tcp port 80
  vlan 7 and not tcp
  vlan 7 and vlan 7
  vlan 7 and vlan 7 and ip
  vlan and vlan
  vlan and vlan and vlan
  vlan and arp
  vlan and ip6
  vlan and stp
  vlan and llc
  vlan and ether host 02:00:00:00:00:01
  vlan and ether proto 0x0800
  vlan and ether[12:2] = 0x8100
  vlan and ether[16:2] = 0x0800
  vlan and ip[0] = 69
  vlan and ether broadcast
  vlan and len > 60
  vlan and port 5001 or arp
  arp or vlan and port 5001
  (vlan and port 5001) or port 5001
  port 5001 or (vlan and port 5001)
  (vlan 1 and ip) or (vlan 7 and ip6)
  ip and vlan and ip
  ip or vlan and ip or vlan and ip
  vlan and mpls
  vlan and mpls and ip
  vlan and pppoes and ip
  vlan 7 and pppoes 1
  vlan and pppoed
  vlan and geneve
  vlan and geneve and tcp
  vlan and ip host 10.0.0.1
  vlan and net 10
  vlan and portrange 5001-5002
  vlan and multicast
  vlan and icmp6
  vlan and isis
  vlan and decnet host 1.1
  vlan and ip proto 6
  vlan and ip6 proto 17
  mpls and tcp
  tcp and mpls
  not mpls
  mpls or tcp
  mpls and ip
  mpls and ip6
  mpls 16 or mpls 1024
  mpls and mpls
  mpls and mpls and mpls
  mpls 1024 and mpls 16 and host 10.0.0.1
  mpls and mpls and tcp port 80
  mpls and ip6 host 2001:db8::1
  mpls and ip[0] = 69
  mpls and port 5001
  mpls and udp[4:2] = 22
  mpls and ether[12:2] = 0x8847
  mpls and ip proto 6
  mpls and net 10.0.0.0/8
  mpls and icmp
  mpls and broadcast
  not (mpls and ip)
  mpls and not ip
  mpls 0 and not mpls
  pppoes and tcp
  pppoes and ip6
  pppoes and not ip
  pppoes and port 5001
  pppoes and ip[0] = 69
  pppoes 1 or pppoes 2
  pppoes 1 and tcp port 80
  not pppoes
  not pppoes and ip
  not pppoed
  pppoed and ip
  pppoes or ip
  ip or pppoes
  pppoes and ip6 host 2001:db8::1
  pppoes and mpls
  pppoes and mpls and ip
  pppoes and ether proto 0x0021
  pppoes and icmp
  pppoes and portrange 5001-5002
  pppoes and stp
  pppoes and arp
  pppoes and ether[12:2] = 0x8864
  (pppoes and ip) or ip
  geneve and ip
  geneve and ip6
  geneve and tcp
  geneve and udp port 5001
  geneve and arp
  geneve and vlan
  geneve and vlan 7 and ip
  geneve and mpls
  geneve and mpls and ip
  geneve and pppoes
  geneve and geneve
  geneve and ether host 02:00:00:00:00:01
  geneve and ether[12:2] = 0x0800
  geneve and ether proto 0x0800
  geneve and ip[0] = 69
  geneve and not ip
  not geneve
  not geneve and udp
  geneve or udp
  geneve 1 or geneve 0
  geneve 0xabcdef and port 80
  geneve and llc
  geneve and stp
  geneve and broadcast
  geneve and multicast
  geneve and len > 100
  geneve and host 2001:db8::1
  geneve and portrange 5001-5002
  geneve and icmp[0] = 8
  geneve and tcp[tcpflags] & tcp-syn != 0
  geneve and ip6 proto 17
  geneve and ip proto 17
  geneve and less 100
  udp and geneve and tcp
  (geneve and tcp) or tcp
  tcp or (geneve and tcp)
  llc and ether host 02:00:00:00:00:01
  llc and llc ui
  llc and stp
  llc or arp
  not llc
  stp and llc u
  ipx and llc
`);

const PAIRED = [
  ...["ip", "ip6", "arp", "tcp", "udp", "icmp6", "stp", "isis", "llc", "decnet host 1.1", "atalk"],
  ...["host 10.0.0.1", "src net 10.0.0.0/8", "port 5001", "udp dst portrange 5001-8080"],
  ...["ip6 host 2001:db8::1", "ether src 02:00:00:00:00:01", "ip proto 6", "ether proto 0x0806"],
  ...["ether multicast", "ip broadcast", "less 70", "ip[0] & 15 = 5", "tcp[13] & 2 != 0"],
  ...["ether[100] = 0", "len % 2 = 0", "vlan", "vlan 7", "mpls", "pppoes", "pppoed", "geneve"],
];
/** They move what stands behind them, so that both orders differ. */
const MOVING = ["vlan", "vlan 7", "mpls", "pppoes", "geneve"];

/** Every pair of primitives, joined in a way that changes from pair to pair; some pairs both ways round. */
export const PAIRS = PAIRED.flatMap((first, i) =>
  PAIRED.flatMap((second, j) =>
    j >= i || MOVING.includes(second) ? [joined(first, second, i * PAIRED.length + j)] : []
  )
);

/** What tcpdump refuses, and so must we. */
export const REFUSED = lines(String.raw`
  ip[0] << 32 = 0
  ip[0] >> 33 = 0
  mpls and arp
  pppoes and ether host 02:00:00:00:00:01
  (pppoes and host 10.0.0.1) or (vlan and host 10.0.0.1) or host 10.0.0.1
  ip 10.0.0.1
  arp 10.0.0.1
  ip6 2001:db8::1
  ether 02:00:00:00:00:01
  decnet 1.1
  ip port 5001
  ip6 src port 5001
  ip portrange 5001-8080
  ip6 dst portrange 5001-8080
  aarp[0] = 1
  mpls or pppoes
  mpls and vlan
  pppoes and vlan
  mpls and pppoed
  ip[0] << 4294967295 = 0
  mpls and decnet host 1.1
  ip[0] + 1 and tcp
  foo
  host
  port
  tcp port
  tcp tcp
  ip ip
  tcp and
  and tcp
  or
  not
  ()
  (tcp
  tcp)
  ((tcp)
  tcp udp
  tcp port 80 443
  port 65536
  port 4294967296
  port -1
  port 80.5
  port foo
  port 10.0.0.1
  portrange 1-65536
  portrange a-b
  portrange 5-
  port 80-
  host 10.0.0.256
  host 256.1
  host 10.0.0.0/8
  host 1.2.3.4.5
  net 10.0.0.1/8
  net 10.0.0.0/33
  net 10.0.0.1 mask 255.0.0.0
  net 10.0.0.0 mask 8
  net 2001:db8::1/32
  net 2001:db8::/129
  host 2001:db8::/32
  host 1::2::3
  host 12345::
  net 1:2
  ether host 10.0.0.1
  ether host 02:00:00:00:00
  ether host 02:00:00:00:00:00:00
  ether host 02:00:00:00:00:0g
  ether net 10
  ether port 80
  ip host 02:00:00:00:00:01
  arp port 80
  arp host 2001:db8::1
  ip6 host 10.0.0.1
  ip host 2001:db8::1
  tcp host 10.0.0.1
  udp net 10
  icmp port 5
  tcp proto 6
  tcp net 10.0.0.0/8
  src
  dst and
  src tcp
  src src 10.0.0.1
  host host 10.0.0.1
  vlan 4096
  vlan -1
  vlan foo
  mpls 1048576
  mpls 5000000000
  pppoes 65536
  geneve 16777216
  less
  less foo
  greater -1
  less 5000000000
  byte 0 5
  byte 0 ! 5
  llc foo
  llc 5
  ip[0
  ip[0]
  ip[]
  ip[0:3] = 1
  ip[0:0] = 1
  ip[0:5] = 1
  ip[0:8] = 1
  ip[:2] = 1
  ip[0:] = 1
  ip[0:ip[0]] = 1
  ip[0] == 
  ip[0] = foo
  ip[0] === 69
  ip[0] <> 69
  ip[0] < > 69
  = 5
  5
  5 = 
  ip[0] / 0 = 1
  ip[0] % 0 = 1
  1 / 0 = 1
  5 % 0 = 1 or ip
  ip[0] << = 1
  ip[0] + = 1
  ip[0] = 4294967296
  ip[0] = 0x100000000
  ip[0] = 08
  ip[0] = 0x
  ip[0] = 99999999999999999999
  ip = 5
  tcp & 1 = 1
  ip[tcp] = 1
  ip[0] and tcp
  tcp[foo] = 1
  stp[0] = 1
  llc[0] = 1
  iso[0] = 1
  isis[0] = 1
  l1[0] = 1
  vlan[0] = 1
  mpls[0] = 1
  ipx[0] = 1
  netbeui[0] = 1
  ah[0] = 1
  esp[0] = 1
  radio
  radio[0] = 1
  gateway 10.0.0.1
  inbound
  outbound
  ifindex 1
  type mgt
  subtype beacon
  dir fromds
  addr1 02:00:00:00:00:01
  wlan addr1 02:00:00:00:00:01
  ra 02:00:00:00:00:01
  ta 02:00:00:00:00:01
  on eth0
  ifname eth0
  rset foo
  rnr 5
  srnr 5
  reason match
  action pass
  lane
  metac
  bcc
  oam
  vpi 5
  vci 5
  fisu
  lssu
  msu
  sio 5
  opc 5
  tcp broadcast
  arp broadcast
  tcp multicast
  ip proto foo
  ip proto tcp
  proto tcp
  ether proto foo
  ether proto ip
  ip proto 10.0.0.1
  tcp protochain 6
  ether protochain 6
  tcp or or udp
  tcp and or udp
  tcp not udp
  tcp & udp
  tcp | udp
  tcp &&& udp
  tcp ! udp
  "tcp"
  tcp;
  tcp, udp
  tcp # comment
  tcp@udp
  {tcp}
  \tcp
  tcp\
  TCP
  Host 10.0.0.1
  10.0.0.1
  80
  host 10.0.0.1 port 80
  host 10.0.0.1 80
  port 80 or tcp or 443
  tcp or 443
  (port 80) or 443
  (port 80 or 443) or 22
  port (80 or tcp)
  port (80 or
  port 80 or (443
  vlan and 7
  vlan 7 or 100
  not port
  port 80 not 443
  atalk host 1.1
  lat host 10.0.0.1
  decnet port 1
  decnet 64.1
  decnet 1.1024
  stp host 10.0.0.1
  ipx host 10.0.0.1
  iso host 10.0.0.1
  isis host 10.0.0.1
  netbeui host 10.0.0.1
  vrrp host 10.0.0.1
  carp host 10.0.0.1
  pim host 10.0.0.1
  igrp host 10.0.0.1
  icmp6 host 2001:db8::1
  ah host 10.0.0.1
  esp host 10.0.0.1
  aarp host 10.0.0.1
  sca host 10.0.0.1
  moprc host 10.0.0.1
  mopdl host 10.0.0.1
  icmp net 10
  igmp port 5
  ip6 net 10.0.0.0/8
  ip net 2001:db8::/32
  rarp port 80
  ip port foo
  len
  len len
  length
  -5
  - = 5
  tcp[-] = 1
`);

/** tcpdump takes these; we refuse them by name: a chain of headers has no end that is known before. */
export const OURS_REFUSES = lines(`
  ip6 protochain 6
  ip6 protochain \\tcp
  ip protochain 51
  protochain 17
`);

/** All that is compared; some of the pairs tcpdump refuses. */
export const CORPUS: string[] = [
  ...new Set([
    "",
    " ",
    ...EVERYDAY,
    ...PRIMITIVES,
    ...ARITHMETIC,
    ...PRECEDENCE,
    ...NESTED,
    ...PAIRS,
  ]),
];

function qualified(protocols: string[], types: string[], value: string): string[] {
  const directions = ["", "src ", "dst ", "src or dst ", "src and dst "];
  const all = protocols.flatMap((protocol) =>
    directions.flatMap((direction) => types.map((type) => `${protocol}${direction}${type}${value}`))
  );
  // Without a direction and a type it is no expression.
  const bare = protocols.map((protocol) => `${protocol}${value}`);
  return all.filter((expression) => !bare.includes(expression));
}

function joined(first: string, second: string, way: number): string {
  const ways = [
    `${first} and ${second}`,
    `${first} or ${second}`,
    `not ${first} and ${second}`,
    `${first} and not ${second}`,
    `${first} or not ${second}`,
    `not (${first} or ${second})`,
    `not (${first} and ${second})`,
  ];
  return ways[way % ways.length];
}

function lines(text: string): string[] {
  return text.split("\n").map((line) => line.trim()).filter((line) => line !== "");
}

function words(text: string): string[] {
  return text.split(" ");
}

/** Of ticks, which tcpdump does not know. */
export const TICK_EXPRESSIONS: string[] = lines(`
tick.instrument == 3
tick.instrument != 3
tick.instrument & 3 == 1
tick.instrument in {1, 2, 7}
instrument in {1-4, 9}
not instrument in {0, 2, 4, 6, 8, 10}
tick.side == bid
tick.side in {ask}
tick.type == option
tick.type in {underlying, future}
tick.price > 100.5
tick.price >= 100.5
tick.price < 100.5
tick.price <= 100.5
tick.price == 100.5
tick.price != 100.5
tick.price == 0
tick.price > 0
tick.quantity < 10
quantity >= 1 and price < 100
side == ask and (price > 99 or quantity > 15)
udp dst port 5001 and tick.instrument > 5
not tick.side == bid or arp
vlan and tick.instrument == 3
host 10.0.0.2 and tick.instrument in {1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23}
`);
