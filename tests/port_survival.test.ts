/** Peers that are killed, files that are left behind or foreign: survivors go on, and nothing is wedged. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { openPort } from "../ffi/open_port.ts";
import { PortError } from "../ffi/port_error.ts";
import { type Port, RX } from "../ffi/port.ts";
import { type Network, OpenPorts, type PortKind, SENDER, testKinds } from "./port_kinds.ts";
import { senderJob, startProcess } from "./port_peers.ts";
import { Arrivals, send } from "./port_traffic.ts";

const all = () => true;
const isSoft = (kind: PortKind) => kind.symbol.startsWith("Soft");
const KILLS = 3;

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

testKinds(all, "goes on when a sender is killed while it sends", async (kind, network) => {
  using ports = new OpenPorts();
  const receiver = ports.open(network.receiver, RX);
  for (let kill = 0; kill < KILLS; kill++) {
    const job = senderJob(kind, network, 1, 20 + kill, { role: "flood" });
    const arrivals = new Arrivals(kind.wholePackets, [job.stream]);
    await using peer = await startProcess(job);
    await peer.go();
    await arrivals.takeUntil(receiver, () => arrivals.received > 20_000);
    await peer.kill();
    arrivals.drain(receiver);
  }
  // The same name again, and all that it sends.
  const before = receiver.lost(), stream = network.stream(1, 30);
  const sender = ports.open(network.sender(1), SENDER);
  const arrivals = new Arrivals(kind.wholePackets, [stream]);
  sendAndTake(sender, receiver, stream.seed, network, 5000, arrivals);
  assertEquals(arrivals.received, 5000);
  assertEquals(receiver.lost(), before);
});

testKinds(
  (kind) => kind.manySenders,
  "serves the other senders when one is killed",
  async (kind, network) => {
    using ports = new OpenPorts();
    const receiver = ports.open(network.receiver, RX),
      survivor = ports.open(network.sender(2), SENDER);
    const job = senderJob(kind, network, 1, 40, { role: "flood" }), stream = network.stream(2, 41);
    const arrivals = new Arrivals(kind.wholePackets, [job.stream, stream]);
    let sent = 0;
    {
      await using peer = await startProcess(job);
      await peer.go();
      while (arrivals.next.get(1)! < 10_000) {
        sent += send(survivor, stream, sent, 50);
        for (let i = 0; i < 50; i++) arrivals.take(receiver);
      }
      await peer.kill();
    }
    arrivals.drain(receiver);
    const lost = receiver.lost();
    const more = sent + 5000;
    while (sent < more) {
      sent += send(survivor, stream, sent, 100);
      arrivals.drain(receiver);
    }
    assertEquals(arrivals.next.get(2), sent);
    assertEquals(receiver.lost(), lost);
  },
);

/** Sends `count` packets of sender 1, taking them on the way. */
function sendAndTake(
  sender: Port,
  receiver: Port,
  seed: number,
  network: Network,
  count: number,
  arrivals: Arrivals,
): void {
  const stream = network.stream(1, seed);
  for (let sent = 0; sent < count;) {
    sent += send(sender, stream, sent, Math.min(200, count - sent));
    arrivals.drain(receiver);
  }
}

testKinds(all, "goes on when a receiver is killed while it receives", async (kind, network) => {
  using ports = new OpenPorts();
  const sender = ports.open(network.sender(1), SENDER), stream = network.stream(1, 50);
  const job = {
    ...senderJob(kind, network, 1, 50),
    role: "receive" as const,
    port: network.receiver,
  };
  let sent = 0;
  {
    await using peer = await startProcess({ ...job, directions: RX });
    await peer.go();
    for (let burst = 0; burst < 300; burst++) {
      sent += send(sender, stream, sent, 64);
      if (burst % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await peer.kill();
  }
  // Nobody listens: a sender is not held up, and does not fail.
  const startMs = performance.now();
  for (let burst = 0; burst < 200; burst++) sent += send(sender, stream, sent, 64);
  assert(performance.now() - startMs < 5000, "a dead receiver held its sender up");
  const receiver = ports.open(network.receiver, RX);
  const arrivals = new Arrivals(kind.wholePackets, []);
  if (kind.whenFull === "keeps") takeOver(arrivals, sender, receiver, network, sent);
  else startAfresh(kind, sender, receiver, network, sent);
});

/** What waited in the pipe is the next reader's, without a gap; and what is sent now. */
function takeOver(
  arrivals: Arrivals,
  sender: Port,
  receiver: Port,
  network: Network,
  sent: number,
): void {
  const stream = network.stream(1, 50), end = sent + 5000;
  // Where the dead reader was is not known: the first packet tells.
  arrivals.expect(stream);
  assert(arrivals.take(receiver, 1) === 1 || network.file === undefined);
  const first = Math.max(arrivals.next.get(1)! - 1, 0);
  while (sent < end) {
    sent += send(sender, stream, sent, 64);
    arrivals.take(receiver);
  }
  for (let i = 0; i < 20; i++) {
    sender.txSync();
    arrivals.take(receiver);
  }
  assertEquals(arrivals.next.get(1), sent);
  if (network.file) assertEquals(arrivals.received, sent - first);
}

/** A new receiver has nothing of the old, and all that is sent from now on. */
function startAfresh(
  kind: PortKind,
  sender: Port,
  receiver: Port,
  network: Network,
  sent: number,
): void {
  const arrivals = new Arrivals(kind.wholePackets, []);
  arrivals.expect(network.stream(1, 50), sent);
  sender.txSync(); // a udp sender still has to hear that nobody listened
  for (const end = sent + 5000; sent < end;) {
    sent += send(sender, network.stream(1, 50), sent, 100);
    arrivals.drain(receiver);
  }
  assertEquals(arrivals.next.get(1), sent);
  assertEquals(arrivals.received, 5000);
  assertEquals(receiver.lost(), kind.countsLost ? 0 : null);
}

testKinds(
  (kind) => kind.symbol === "SoftSwitch",
  "loses nothing uncounted of a flood into which a receiver joins",
  async (kind, network) => {
    const job = senderJob(kind, network, 1, 60, { count: 400_000 });
    job.stream.sizes = [60, 60];
    await using peer = await startProcess(job);
    await peer.go();
    await new Promise((resolve) => setTimeout(resolve, 20));
    using ports = new OpenPorts();
    const receiver = ports.open(network.receiver, RX), arrivals = new Arrivals(true, [job.stream]);
    let first: number | undefined, ended = false;
    peer.report.then(() => ended = true);
    await arrivals.takeUntil(receiver, () => {
      if (arrivals.received > 0) first ??= arrivals.next.get(1)! - arrivals.received;
      return ended;
    });
    arrivals.drain(receiver);
    const { sent } = await peer.report;
    assertEquals(sent, 400_000);
    // The first packets after joining found an empty ring, so none before them was lost.
    assertEquals(arrivals.received + receiver.lost()!, sent - first!);
  },
);

/* ---- what is left behind ---- */

testKinds(isSoft, "leaves no file when the last one has left", (_, network) => {
  const first = openPort(network.receiver, RX), second = openPort(network.sender(1), SENDER);
  assert(exists(network.file!));
  second.close();
  assert(exists(network.file!));
  first.close();
  assert(!exists(network.file!));
});

testKinds(isSoft, "cleans up after all were killed", async (kind, network) => {
  {
    const flood = senderJob(kind, network, 1, 70, { role: "flood" });
    await using sender = await startProcess(flood);
    await using receiver = await startProcess({
      ...flood,
      role: "receive",
      port: network.receiver,
    });
    await sender.go();
    await receiver.go();
    await new Promise((resolve) => setTimeout(resolve, 50));
    await Promise.all([sender.kill(), receiver.kill()]);
  }
  assert(exists(network.file!));
  const receiver = openPort(network.receiver, RX), sender = openPort(network.sender(1), SENDER);
  const stream = network.stream(1, 71), old = network.stream(1, 70);
  const arrivals = new Arrivals(true, [old]);
  arrivals.drain(receiver); // what waited in a pipe
  arrivals.expect(stream);
  arrivals.received = 0;
  sendAndTake(sender, receiver, 71, network, 3000, arrivals);
  assertEquals(arrivals.received, 3000);
  receiver.close();
  sender.close();
  assert(!exists(network.file!));
});

testKinds(isSoft, "refuses the file of another version, and names it", (_, network) => {
  const port = openPort(network.receiver, RX);
  const path = network.file!, other = `${path}.other`;
  const bytes = Deno.statSync(path).size, header = new Uint32Array(8);
  {
    using file = Deno.openSync(path);
    file.readSync(new Uint8Array(header.buffer));
  }
  port.close();
  header[1]++; // version
  {
    using file = Deno.openSync(path, { write: true, create: true });
    file.writeSync(new Uint8Array(header.buffer));
    file.truncateSync(bytes);
  }
  try {
    const error = assertThrows(() => openPort(network.receiver, RX), PortError);
    assertEquals(error.code, "EPROTO");
    assertEquals(
      error.message,
      `Cannot open "${network.receiver}": it was made by an incompatible version of uspf: ` +
        `end the programs that use it, then remove "${path}"`,
    );
    Deno.renameSync(path, other);
    openPort(network.receiver, RX).close();
  } finally {
    Deno.removeSync(other);
  }
});
