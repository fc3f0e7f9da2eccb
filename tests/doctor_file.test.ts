/**
 * What the doctor says of capture files, and that it leaves alone what is no regular one.
 */
import { assertEquals } from "@std/assert";
import { mayRead } from "../doctor/facts/capture_file.ts";
import { diagnose, runDoctor, without } from "./doctor.ts";

/** A file without packets; pcap-savefile(5). */
const PCAP_HEADER = new Uint8Array(
  Int32Array.of(0xa1b2c3d4 | 0, 2 | 4 << 16, 0, 0, 65535, 1).buffer,
);
const noFifo = without("mkfifo");

async function inFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function makeFifo(path: string): Promise<void> {
  await new Deno.Command("mkfifo", { args: [path] }).output();
}

Deno.test("deno task doctor -i pcap: tells whether the file can be read", () =>
  inFolder(async (folder) => {
    const file = `${folder}/it's`, text = `${folder}/text`;
    await Deno.writeFile(file, PCAP_HEADER);
    await Deno.writeTextFile(text, "no packets");
    const expected = {
      [file]: [0, undefined],
      "-": [0, undefined],
      [text]: [1, `file '${text}'`],
      [`${folder}/none`]: [1, `ls -l '${folder}/none'`],
      [`${folder}/it's/x`]: [1, `ls -l '${folder}/it'\\''s/x'`],
      [folder]: [1, `ls '${folder}'`],
      "/dev/stdin": [1, '# for standard input: "-i pcap:-"'],
    };
    for (const [path, [code, remedy]] of Object.entries(expected)) {
      const { findings, ...rest } = await diagnose(["-i", `pcap:${path}`]);
      const [found] = findings.filter(({ id }) => id === "file");
      assertEquals([rest.code, found.remedy[0]], [code, remedy], path);
    }
  }));

Deno.test({
  name: `deno task doctor -i pcap: neither waits for a FIFO nor takes its writer's reader away` +
    (noFifo === undefined ? "" : `: IGNORED, ${noFifo}`),
  ignore: noFifo !== undefined,
  fn: () =>
    inFolder(async (folder) => {
      const fifo = `${folder}/fifo`;
      await makeFifo(fifo);
      const doctor = () =>
        runDoctor(["-i", `pcap:${fifo}`, "--seconds", "0"], (command) => [
          ...["timeout", "-s", "KILL", "10"],
          ...command,
        ]);
      assertEquals((await doctor()).code, 0);
      // Opened by a reader it would write at once, and die.
      const writer = new Deno.Command("timeout", {
        args: [
          "-s",
          "KILL",
          "20",
          "sh",
          "-c",
          'while :; do echo x || exit; sleep 0.01; done > "$0"',
          fifo,
        ],
        stdin: "null",
        stdout: "null",
        stderr: "null",
      }).spawn();
      try {
        assertEquals((await doctor()).code, 0);
        const first = await Promise.race([
          writer.status.then(() => "the writer has ended"),
          new Promise((resolve) => setTimeout(resolve, 200, "it waits for its reader")),
        ]);
        assertEquals(first, "it waits for its reader");
      } finally {
        try {
          writer.kill("SIGTERM");
        } catch { /* it has ended */ }
        await writer.status;
      }
    }),
});

Deno.test("mayRead goes by the owner's permission, or by those of all others", () => {
  const of = (mode: number, uid: number) => mayRead({ mode, uid }, 1000);
  assertEquals([of(0o600, 1000), of(0o200, 1000), of(0o066, 1000)], [true, false, false]);
  assertEquals([of(0o604, 0), of(0o640, 0), of(0o622, 0)], [true, true, false]);
  assertEquals(mayRead({ mode: 0o000, uid: 1 }, 0), true);
});
