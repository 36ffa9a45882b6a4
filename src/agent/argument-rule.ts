export {
  type ArgumentRule,
  type ResolvedCommand,
  resolveCommand,
} from "../protocol/argument-rule.ts";
