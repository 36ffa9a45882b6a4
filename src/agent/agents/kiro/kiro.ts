import type { AgentAdapter } from "../../agent.ts";
import { configuration } from "./configuration.ts";
import { DEFAULT_REGIONS, hostsOf, KIRO_REGIONS } from "./hosts.ts";
import { installation } from "./installation.ts";
import { keptSignIn } from "./kept-sign-in.ts";
import { signIn } from "./sign-in.ts";
import { turns } from "./turns.ts";

/** AWS Kiro CLI. */
export const kiro: AgentAdapter = {
  id: "kiro",
  title: "Kiro CLI (AWS)",
  command: ["kiro-cli", "chat", "--trust-all-tools"],
  hosts: hostsOf(DEFAULT_REGIONS),
  regions: KIRO_REGIONS,
  environment: {
    KIRO_NO_AUTO_UPDATE: "1",
    KIRO_DISABLE_TELEMETRY: "1",
    Q_DISABLE_TELEMETRY: "1",
  },
  credentials: ["KIRO_API_KEY"],
  acp: ["acp", "--agent-engine", "v2", "--trust-all-tools"],
  locations: {
    configuration: [".kiro"],
    signIn: [".local/share/kiro-cli"],
    conversations: [".local/share/kiro-cli", ".kiro/sessions"],
  },
  modelEndpoint: { kind: "none" },
  standaloneWords: ["login", "logout", "whoami", "--version", "--help"],
  install: installation,
  signIn,
  keptSignIn,
  turns,
  configuration,
};
