// Nothing but this file is read before the version is told: it has 60 ms from a cold shell.
if (process.argv[2] === "--version") {
  const { readProgramVersion } = await import("../platform/version.ts");
  console.log(readProgramVersion());
} else {
  const { runProgram } = await import("./program.ts");
  const status = await runProgram(process.argv.slice(2));
  // Connections and a waiting stdin would keep the process; what was written is out.
  process.exit(status);
}
