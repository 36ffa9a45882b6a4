import { requirement } from "../../src/testing/requirement.ts";

/** For whole suites beside which smaller tests show the same. */
export const MINUTES = requirement("minutes", () =>
  process.env["CATTLEGRID_LONG_TESTS"] === undefined
    ? "asked for by CATTLEGRID_LONG_TESTS=1"
    : undefined,
);

export {
  allOf,
  ordinaryUser,
  program,
  requirement,
  root,
  type Requirement,
} from "../../src/testing/requirement.ts";
