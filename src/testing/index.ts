/** What `import … from "cattlegrid/testing"` gives; the suites need vitest. */
export { describeSandboxProvider, type ProviderUnderTest } from "./conformance/sandbox-provider.ts";
export { allOf, program, requirement, type Requirement } from "./requirement.ts";
