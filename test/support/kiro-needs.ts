import { allOf, program } from "./requirement.ts";

/** What installing and running the stand-in in a real sandbox takes. */
export const KIRO_NEEDS = allOf(
  program("crun"),
  program("curl"),
  program("unzip"),
  program("unshare"),
);
