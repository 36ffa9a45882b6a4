import type { ErrorDefinition, Fault } from "../src/errors/codes.ts";

const FAULTS: Readonly<Record<Fault, string>> = {
  user: "yours: the request cannot be carried out as it stands",
  provider: "the machine's, or a service's",
  internal: "ours: a bug",
};

const HEAD = `# Errors

<!-- Generated from src/errors/codes.ts by \`npm run generate\`. -->

Every error has a code. Codes are stable: scripts may match on them. On the command line the code and a hint go to
stderr and the exit status is the one below; the HTTP API answers with problem+json that holds the same code.
`;

/** The page docs/errors.md: every code with whose fault it is, what it ends in, and what to do. */
export function renderErrorsPage(codes: Readonly<Record<string, ErrorDefinition>>): string {
  const faults = Object.entries(FAULTS).map(([fault, meaning]) => `- \`${fault}\`: ${meaning}`);
  const rows = Object.entries(codes).map(([code, definition]) => {
    const { fault, exitCode, httpStatus, hint } = definition;
    return `| \`${code}\` | ${fault} | ${exitCode} | ${httpStatus} | ${escapeCell(hint)} |`;
  });
  const table = [
    "| code | fault | exit | HTTP | what to do |",
    "| --- | --- | --- | --- | --- |",
    ...rows,
  ];
  return [HEAD, "Fault says whose mistake it is:", "", ...faults, "", ...table, ""].join("\n");
}

function escapeCell(text: string): string {
  return text.replaceAll("|", "\\|");
}
