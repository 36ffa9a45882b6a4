export {
  allOf,
  ordinaryUser,
  program,
  requirement,
  root,
  type Requirement,
} from "../../src/testing/requirement.ts";
