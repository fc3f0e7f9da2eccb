import { assertEquals } from "@std/assert";

/** Which stages a stage may import: the edges of the way of the data. */
const MAY_IMPORT: Record<string, string[]> = {
  ffi: [],
  filter: [],
  engine: [],
  capture: ["ffi", "filter", "engine"],
  sender: ["ffi"],
  doctor: ["ffi"],
  service: ["ffi", "capture"],
};

const root = new URL("..", import.meta.url);

/** Every import of a stage's files that leads out of it, as "file -> target". */
function importsOf(stage: string): { file: string; target: string }[] {
  return filesOf(stage).flatMap((file) => {
    const url = new URL(file, root), text = Deno.readTextFileSync(url);
    return [...text.matchAll(/from "(\.\.?\/[^"]+)"/g)].map((match) => ({
      file,
      target: new URL(match[1], url).pathname.slice(root.pathname.length),
    }));
  });
}

/** The TypeScript files of a folder and those below it. */
function filesOf(folder: string): string[] {
  return [...Deno.readDirSync(new URL(folder, root))].flatMap(({ name, isDirectory }) => {
    const path = `${folder}/${name}`;
    return isDirectory ? filesOf(path) : name.endsWith(".ts") ? [path] : [];
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
  for (const stage of ["filter", "engine", "capture", "sender", "doctor"]) {
    for (const file of filesOf(stage)) {
      assertEquals(unsafe.test(Deno.readTextFileSync(new URL(file, root))), false, file);
    }
  }
});

Deno.test("examples import only the library, by its name", () => {
  for (const file of filesOf("examples")) {
    const text = Deno.readTextFileSync(new URL(file, root));
    const targets = [...text.matchAll(/(?:from|import\() ?"([^"]+)"/g)].map((match) => match[1]);
    assertEquals(targets, ["@uspf/uspf"], file);
  }
});

Deno.test("mod.ts only re-exports", () => {
  const text = Deno.readTextFileSync(new URL("mod.ts", root)).replace(/\/\*\*[\s\S]*?\*\//g, "");
  const rest = text.replace(/export \{[\s\S]*?\} from "[^"]+";/g, "").replace(/\/\/.*/g, "").trim();
  assertEquals(rest, "");
});
