/**
 * Purpose: `deno task bench [name] [arguments]`: runs one bench, or all of them one after the other.
 */
const here = new URL(".", import.meta.url);
const [wanted, ...rest] = Deno.args;
const names = [...Deno.readDirSync(here)].map(({ name }) => name)
  .filter((name) => name.endsWith(".bench.ts")).map((name) => name.slice(0, -".bench.ts".length))
  .sort();

if (wanted !== undefined && !names.includes(wanted)) {
  console.error(`Cannot run bench "${wanted}": no such bench: choose one of ${names.join(", ")}`);
  Deno.exit(2);
}
let failed = 0;
for (const name of wanted === undefined ? names : [wanted]) {
  if (wanted === undefined) console.log(`\n== ${name}`);
  const { code } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", "-P=bench", new URL(`${name}.bench.ts`, here).pathname, ...rest],
  }).spawn().status;
  if (code !== 0) failed++;
}
Deno.exit(failed);
