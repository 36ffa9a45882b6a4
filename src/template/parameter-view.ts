import type { ParameterView } from "../protocol/template-list.ts";
import type { TemplateParameter } from "../protocol/template-file.ts";

/** A parameter as the API shows it, in one form for every type. */
export function showParameter(name: string, parameter: TemplateParameter): ParameterView {
  const { type, title = name, description, mutable = false, default: value } = parameter;
  return {
    name,
    type,
    title,
    ...(description === undefined ? {} : { description }),
    ...(value === undefined ? {} : { default: value }),
    mutable,
    ...showBounds(parameter),
  };
}

function showBounds(parameter: TemplateParameter): Partial<ParameterView> {
  if (parameter.type === "choice") {
    const choices = parameter.choices.map((choice) =>
      typeof choice === "string" ? { value: choice, title: choice } : choice,
    );
    return { choices };
  }
  if (parameter.type === "number") {
    const { min, max, integer } = parameter;
    return {
      ...(min === undefined ? {} : { min }),
      ...(max === undefined ? {} : { max }),
      ...(integer === undefined ? {} : { integer }),
    };
  }
  if (parameter.type !== "string" || parameter.pattern === undefined) return {};
  return { pattern: parameter.pattern };
}
