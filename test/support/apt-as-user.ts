/** Run by an ordinary user: builds a template with a package of apt, uses it, removes all of it, and tells what it saw. */
import { TemplateYard } from "./template-yard.ts";

const [archive = "", mirrors = ""] = process.argv.slice(2);

async function attempt<T>(work: () => Promise<T>): Promise<T | object> {
  try {
    return await work();
  } catch (error) {
    const { code, message, hint, details } = error as Record<string, unknown>;
    return { code, message, hint, details };
  }
}

const yard = await TemplateYard.open({ targets: mirrors });
yard.write(
  `base: { tar: ${archive} }`,
  'policy: { preset: locked, allow: ["deb.example:80"] }',
  "packages: { apt: [tiny] }",
  "setup: [{ run: id -un; echo mine > mine }]",
);
const built = await attempt(() => yard.build());
const said = Array.isArray(built)
  ? await yard.say(`id -un; cat mine; tiny; dpkg-query -W -f '\${db:Status-Abbrev}\\n' tiny
      stat -c '%U %G %a' /var/lib/tiny /usr/bin/dpkg /etc/apt mine; echo x >> /usr/bin/tiny; rm /usr/bin/dpkg
      grep -c . /proc/self/uid_map; grep Cap /proc/self/status | cut -f2 | sort -u; grep NoNewPrivs /proc/self/status`)
  : "";
const [sandbox] = await yard.engine.sandboxes.list("local:7");
if (sandbox !== undefined) await yard.engine.sandboxes.remove(sandbox.id);
const kept = { bases: yard.kept("bases").length, roots: yard.kept("roots").length };
await yard.engine.templateLayers.collect(Date.now() + 60_000);
const left = (["bases", "layers", "roots", "sandboxes", "trash"] as const).flatMap((kind) =>
  yard.kept(kind),
);
await yard[Symbol.asyncDispose]();
process.stdout.write(JSON.stringify({ built, said, kept, left }));
