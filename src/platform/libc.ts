/**
 * The C library of this machine with its version, such as `glibc-2.36`: what a program built for one may not run on
 * with another.
 */
export function describeLibc(): string {
  // The report would otherwise look up the name of every peer of this process.
  Object.assign(process.report, { excludeNetwork: true });
  const { header } = process.report.getReport() as { header: Record<string, unknown> };
  const version = header["glibcVersionRuntime"];
  if (typeof version === "string" && /^[\d.]+$/.test(version)) return `glibc-${version}`;
  // Node built for musl does not say which.
  return "musl";
}
