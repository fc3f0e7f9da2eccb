import { assertAlmostEquals, assertEquals } from "@std/assert";
import { BypassIO } from "../capture/bypass_io.ts";
import { finalOf, run, start } from "./command.ts";
import { freeUdpPort } from "./free_port.ts";

const node = has("node"), bash = has("bash");

function has(program: string): boolean {
  try {
    return new Deno.Command(program, { args: ["--version"], stdout: "null" }).outputSync().success;
  } catch {
    return false;
  }
}

/** A Node program that sends `count` ticks to a port, the instrument counting up. */
const NODE_SENDER = `
const [port, count] = process.argv.slice(1).map(Number);
const socket = require("node:dgram").createSocket("udp4");
let sent = 0;
function next() {
  if (sent === count) return socket.close();
  const tick = Buffer.alloc(14);
  tick.writeUInt32LE(sent++, 0);
  tick[4] = 2; tick[5] = sent % 2;
  tick.writeFloatLE(100.5, 6);
  tick.writeFloatLE(3, 10);
  socket.send(tick, port, "127.0.0.1", next);
}
next();`;

/** A Node program that prints how many ticks it received, and the sum of their instruments. */
const NODE_RECEIVER = `
const [port, count] = process.argv.slice(1).map(Number);
const socket = require("node:dgram").createSocket({ type: "udp4", recvBufferSize: 1 << 20 });
let got = 0, sum = 0, bad = 0;
const done = () => { console.log(JSON.stringify({ got, sum, bad })); process.exit(0); };
socket.on("message", (tick) => {
  got++;
  sum += tick.readUInt32LE(0);
  if (tick.length !== 14 || tick[4] > 2 || tick[5] > 1 || !(tick.readFloatLE(6) > 0)) bad++;
  if (got === count) done();
});
socket.bind(port, "127.0.0.1", () => console.log("bound"));
setTimeout(done, 10000);`;

Deno.test({
  name: `udp: port receives what a Node program sends${node ? "" : " (ignored: no node here)"}`,
  ignore: !node,
  fn: async () => {
    const port = `${await freeUdpPort()}`;
    const capture = start("capture", ["-i", `udp:127.0.0.1:${port}`, "-p", port, "--json"]);
    await capture.shown("{");
    await new Deno.Command("node", { args: ["-e", NODE_SENDER, port, "20000"] }).output();
    await new Promise((resolve) => setTimeout(resolve, 200));
    capture.process.kill("SIGINT");
    const s = finalOf(await capture.finished);
    assertEquals([s.received, s.accepted, s.consumed, s.lost], [20_000, 20_000, 20_000, 0]);
    assertEquals(s.engine.instruments, 20_000);
  },
});

Deno.test({
  name: `udp: port sends what a Node program receives${node ? "" : " (ignored: no node here)"}`,
  ignore: !node,
  fn: async () => {
    const port = `${await freeUdpPort()}`;
    const receiver = new Deno.Command("node", {
      args: ["-e", NODE_RECEIVER, port, "5000"],
      stdout: "piped",
    }).spawn();
    const reader = receiver.stdout.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    const more = async () => {
      const { value, done } = await reader.read();
      text += value ?? "";
      return !done;
    };
    while (!text.includes("bound") && await more());
    const args = [
      "-i",
      `udp:127.0.0.1:${port}`,
      "-c",
      "5000",
      "-r",
      "20000",
      "--instruments",
      "100",
      "--json",
    ];
    assertEquals(finalOf(await run("send", args)).sent, 5000);
    while (await more());
    const { got, bad, sum } = JSON.parse(text.slice(text.indexOf("{")));
    assertEquals([got, bad], [5000, 0]);
    assertAlmostEquals(sum / got, 49.5, 5); // instruments are chosen evenly from 0 to 99
  },
});

Deno.test({
  name: `BypassIO.rx shows the true addresses and ports of a datagram from bash${
    bash ? "" : " (ignored: no bash here)"
  }`,
  ignore: !bash,
  fn: async () => {
    const port = await freeUdpPort();
    const io = BypassIO.open(`udp:0.0.0.0:${port}`, { tx: false });
    const script = `printf 'hello, uspf' > /dev/udp/127.0.0.1/${port}`;
    assertEquals((await new Deno.Command("bash", { args: ["-c", script] }).output()).success, true);
    let n = 0;
    for (let i = 0; i < 1000 && n === 0; i++) {
      n = io.rx();
      if (n === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    const packet = io.bytes.slice(io.offsets[0], io.offsets[0] + io.lengths[0]);
    io.close();
    const view = new DataView(packet.buffer);
    assertEquals(new TextDecoder().decode(packet.subarray(42)), "hello, uspf");
    assertEquals([view.getUint16(12), view.getUint8(14), view.getUint8(23)], [0x0800, 0x45, 17]);
    assertEquals([view.getUint32(26), view.getUint32(30)], [0x7f000001, 0x7f000001]);
    assertEquals([view.getUint16(36), view.getUint16(38), view.getUint16(16)], [
      port,
      8 + 11,
      28 + 11,
    ]);
    let sum = 0;
    for (let at = 14; at < 34; at += 2) sum += view.getUint16(at);
    assertEquals((sum & 0xffff) + (sum >>> 16), 0xffff, "IPv4 header checksum");
  },
});
