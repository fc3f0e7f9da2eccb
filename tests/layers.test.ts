import { assertEquals } from "@std/assert";

/** Which stages a stage may import: the edges of the way of the data. */
const MAY_IMPORT: Record<string, string[]> = {
  ffi: [],
  filter: [],
  engine: [],
  capture: ["ffi", "filter", "engine"],
  sender: ["ffi"],
};

const root = new URL("..", import.meta.url);

/** Every import of a stage's files that leads out of it, as "file -> target". */
function importsOf(stage: string): { file: string; target: string }[] {
  return [...Deno.readDirSync(new URL(stage, root))]
    .filter(({ name }) => name.endsWith(".ts"))
    .flatMap(({ name }) => {
      const text = Deno.readTextFileSync(new URL(`${stage}/${name}`, root));
      return [...text.matchAll(/from "(\.\.?\/[^"]+)"/g)].map((match) => ({
        file: `${stage}/${name}`,
        target: new URL(match[1], new URL(`${stage}/`, root)).pathname.slice(root.pathname.length),
      }));
    });
}

for (const [stage, allowed] of Object.entries(MAY_IMPORT)) {
  Deno.test(`${stage} imports only ${allowed.join(", ") || "itself"}`, () => {
    const strangers = importsOf(stage).filter(({ target }) => {
      const to = target.split("/")[0];
      return to !== stage && !allowed.includes(to) && target !== "deno.json";
    });
    assertEquals(strangers, []);
  });
}

Deno.test("Deno.dlopen and pointers stand only in ffi", () => {
  const unsafe = /Deno\.(dlopen|Unsafe\w+)|process\.dlopen/;
  for (const stage of ["filter", "engine", "capture", "sender"]) {
    for (const { name } of Deno.readDirSync(new URL(stage, root))) {
      const text = Deno.readTextFileSync(new URL(`${stage}/${name}`, root));
      assertEquals(unsafe.test(text), false, `${stage}/${name}`);
    }
  }
});

Deno.test("mod.ts only re-exports", () => {
  const text = Deno.readTextFileSync(new URL("mod.ts", root)).replace(/\/\*\*[\s\S]*?\*\//g, "");
  const rest = text.replace(/export \{[\s\S]*?\} from "[^"]+";/g, "").replace(/\/\/.*/g, "").trim();
  assertEquals(rest, "");
});
