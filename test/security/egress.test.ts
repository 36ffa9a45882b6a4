import { createLocalProvider } from "../../src/sandbox/providers/local/provider.ts";
import { allOf, program } from "../support/requirement.ts";
import { describeWaysOut } from "./ways-out.ts";

describeWaysOut({
  name: "the local provider",
  needed: allOf(...["crun", "unshare", "nsenter", "python3"].map(program)),
  makeProvider: createLocalProvider,
  clients: ["sh", "Node", "Python"],
});
