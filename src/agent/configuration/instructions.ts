import type { WantedConfiguration } from "./configuration.ts";

/** The prompt and the steering as one text, for an agent that reads one; undefined when there is none. */
export function joinInstructions({ agent, steering }: WantedConfiguration): string | undefined {
  const parts = [agent.prompt, ...steering.map(({ content }) => content)];
  const texts = parts.flatMap((text) => (text === undefined ? [] : [text.trim()]));
  return texts.length === 0 ? undefined : texts.join("\n\n");
}

/** The same as a file of the home's, if there is anything to say. */
export function instructionsFile(
  path: string,
  wanted: WantedConfiguration,
): { path: string; block: string }[] {
  const block = joinInstructions(wanted);
  return block === undefined ? [] : [{ path, block }];
}
