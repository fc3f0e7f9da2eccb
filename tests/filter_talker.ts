/**
 * Purpose: ordinary programs' traffic, for a recording: an HTTP server, or somebody who fetches from it,
 * sends datagrams to open and closed ports, and joins groups; over IPv4 and IPv6.
 *
 *     deno run -A --unstable-net tests/filter_talker.ts serve ADDRESS | talk ADDRESS …
 */
const PORT = 8080, CLOSED = 9, TICKS = 5001;
const ROUNDS = 8, BYTES = 4000; // more than one TCP segment; with UDP, fragments

const [mode, ...addresses] = Deno.args;
if (mode === "serve") serve(addresses[0]);
else for (const address of addresses) await talk(address);

function serve(address: string): void {
  const hostname = "::";
  for (const group of ["239.1.1.1", "224.1.2.3"]) {
    const socket = Deno.listenDatagram({ transport: "udp", hostname: "0.0.0.0", port: 0 });
    socket.joinMulticastV4(group, address);
  }
  Deno.listenDatagram({ transport: "udp", hostname, port: TICKS });
  const onListen = () => console.log("ready");
  Deno.serve({ hostname, port: PORT, onListen }, () => new Response("x".repeat(BYTES)));
}

async function talk(address: string): Promise<void> {
  const v6 = address.includes(":"), host = v6 ? `[${address}]` : address;
  const hostname = v6 ? "::" : "0.0.0.0";
  const socket = Deno.listenDatagram({ transport: "udp", hostname, port: 0 });
  for (let round = 0; round < ROUNDS; round++) {
    const headers = { connection: round % 2 === 0 ? "close" : "keep-alive" };
    await (await fetch(`http://${host}:${PORT}/${round}`, { headers })).text();
    for (const [port, length] of [[TICKS, 14], [CLOSED, 14], [TICKS, BYTES]]) {
      await socket.send(new Uint8Array(length), { transport: "udp", hostname: address, port });
    }
    await Deno.connect({ hostname: address, port: CLOSED }).catch(() => "refused, as it should be");
  }
  socket.close();
}
