/**
 * Shell lines that write files below the home directory, by their paths there. SECURITY: a path is quoted as a whole and
 * a content is sent as base64, so that neither is ever text of the script.
 */
export function writeFilesScript(files: Readonly<Record<string, string>>): string {
  return Object.entries(files)
    .map(([path, content]) => {
      const target = `"$HOME"/'${path.replaceAll("'", "'\\''")}'`;
      const encoded = Buffer.from(`${content}\n`, "utf8").toString("base64");
      return `printf %s '${encoded}' | base64 -d | install -D -m 600 /dev/stdin ${target}\n`;
    })
    .join("");
}
