import { expect, test } from "vitest";
import { planPackages } from "./packages.ts";

const [install] = planPackages({
  packages: { apt: ["tiny"], npm: [], pip: [] },
  base: { tar: "/base.tar" },
});
const REPOSITORY = "E: The repository 'http://deb.example/debian ./ InRelease' is not signed.";

test.each([
  ["a signature that does not hold", "W: GPG error: … invalid: BADSIG 0123", "PACKAGES_UNVERIFIED"],
  ["a key that is not there", "W: GPG error: … verified: NO_PUBKEY 0123", "PACKAGES_UNVERIFIED"],
  ["a source without a signature", REPOSITORY, "PACKAGES_UNVERIFIED"],
  [
    "a source that was not reached",
    `E: Failed to fetch http://deb.example/debian/./InRelease  403  Forbidden\n${REPOSITORY}`,
    undefined,
  ],
  ["a name that nobody knows", "E: Unable to locate package tiny", "PACKAGES_MISSING"],
  ["a version", "E: Version '9' for 'tiny' was not found", "PACKAGES_MISSING"],
  ["a package without one", "E: Package 'tiny' has no installation candidate", "PACKAGES_MISSING"],
  ["something else", "E: Sub-process /usr/bin/dpkg returned an error code (1)", undefined],
])("what apt says of %s is told apart", (_, output, code) => {
  expect(install?.explain?.({ exitCode: 100, output })?.code).toBe(code);
});

test("what is no name of a package is refused, also one that would be an option", () => {
  for (const name of ["--force", "a b", "a;b", "", "../a"]) {
    const packages = { apt: [name], npm: [], pip: [] };
    expect(() => planPackages({ packages, base: "host" })).toThrow("is no name of a package");
  }
});
