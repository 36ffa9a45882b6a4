// Loaded before a program: it then runs on macOS, as far as it can tell, and whatever exists on Linux alone cannot be loaded.
import { registerHooks } from "node:module";

Object.defineProperty(process, "platform", { value: "darwin" });

registerHooks({
  resolve(specifier, context, next) {
    const found = next(specifier, context);
    const isLinuxOnly = specifier === "koffi" || found.url.includes("/src/platform/native/");
    if (isLinuxOnly) throw new Error(`${specifier} exists on Linux only`);
    return found;
  },
});
