import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runProcess } from "../../src/platform/process.ts";

const PROGRAMS =
  "sh bash env sleep cat ls id stat touch mkdir chown chmod rm head date grep setsid";

/** SECURITY: a constant text. Copies programs of this machine with the libraries that they need. */
const SCRIPT = `set -e
root=$1; shift
for name in "$@"; do
  program=$(readlink -f "$(command -v "$name")")
  cp "$program" "$root/usr/bin/$name"
  for library in $(ldd "$program" | grep -o '/[^ ]*'); do
    mkdir -p "$root/usr$(dirname "\${library#/usr}")"
    cp -L -n "$library" "$root/usr\${library#/usr}"
  done
done`;

/** A root file system of a few programs, on which a sandbox runs. */
export async function makeSmallBase(root: string): Promise<void> {
  for (const name of ["usr/bin", "usr/lib", "usr/lib64", "etc", "var"]) {
    mkdirSync(join(root, name), { recursive: true });
  }
  for (const name of ["bin", "lib", "lib64"]) symlinkSync(`usr/${name}`, join(root, name));
  writeFileSync(join(root, "etc/os-release"), "NAME=Small\n");
  writeFileSync(join(root, "etc/passwd"), "root:x:0:0::/root:/bin/sh\nwww:x:33:33::/:/bin/false\n");
  const { code, stderr } = await runProcess([
    "bash",
    "-c",
    SCRIPT,
    "base",
    root,
    ...PROGRAMS.split(" "),
  ]);
  if (code !== 0) throw new Error(stderr);
}
