import { z } from "zod";
import { configurationSchema } from "../src/protocol/configuration.ts";
import type { ProviderSetting } from "../src/protocol/provider.ts";

/** A sandbox provider, as far as documents of its settings go. */
interface Configurable {
  id: string;
  settings?: readonly ProviderSetting[];
}

const SECRET = {
  oneOf: ["secret", "env"].map((name) => ({
    type: "object",
    properties: { [name]: { type: "string", minLength: 1 } },
    required: [name],
    additionalProperties: false,
  })),
};

/** The schema of configuration files, with what each provider declares in the place of what any could. */
export function describeConfiguration(providers: readonly Configurable[]): object {
  const schema = z.toJSONSchema(configurationSchema) as {
    $defs?: Record<string, { properties?: Record<string, { description?: string }> }>;
  };
  const properties = schema.$defs?.["Configuration"]?.properties;
  if (properties?.["providers"] === undefined) throw new TypeError("no settings of providers");
  const { description } = properties["providers"];
  const objects = configurable(providers).map(({ id, settings }) => [id, describeObject(settings)]);
  properties["providers"] = {
    ...(description === undefined ? {} : { description }),
    ...describeKeys(Object.fromEntries(objects)),
  };
  return schema;
}

function describeKeys(properties: object): object {
  return { type: "object", properties, additionalProperties: false };
}

function describeObject(settings: readonly ProviderSetting[]): object {
  const keys = settings.map(({ key, summary, pattern, isSecret }) => {
    const form = isSecret === true ? SECRET : { type: "string", ...(pattern && { pattern }) };
    return [key, { ...form, description: summary.replaceAll("`", "") }];
  });
  return describeKeys(Object.fromEntries(keys));
}

const [BEGIN, END] = ["<!-- providers: generated -->", "<!-- providers: end -->"] as const;

/** A page with its table of providers' settings as they are declared. */
export function renderSettings(page: string, providers: readonly Configurable[]): string {
  const [before, rest] = page.split(BEGIN);
  const [, after] = (rest ?? "").split(END);
  if (before === undefined || after === undefined) {
    throw new TypeError(`the page has no ${BEGIN} and ${END}`);
  }
  const rows = configurable(providers).flatMap(({ id, settings }) =>
    settings.map(({ key, variable, summary, example }) => {
      return `| [${id}](providers/${id}.md) | \`${key}\` | \`${variable}\` | ${summary} | \`${example}\` |`;
    }),
  );
  const head = [
    "| provider | key | variable | what | such as |",
    "| --- | --- | --- | --- | --- |",
  ];
  return [before, BEGIN, "\n\n", [...head, ...rows].join("\n"), "\n\n", END, after].join("");
}

function configurable(providers: readonly Configurable[]): readonly Required<Configurable>[] {
  return providers.flatMap(({ id, settings = [] }) =>
    settings.length === 0 ? [] : [{ id, settings }],
  );
}
