import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import formats from "ajv-formats";

/** Judges documents by a published OpenAPI document, without any code of the product. */
export class ApiSchemas {
  readonly #ajv: Ajv2020;
  readonly #document: OpenApi;

  constructor(document: unknown) {
    this.#document = document as OpenApi;
    // `x-since` and what only OpenAPI knows are no errors; a keyword of JSON Schema used wrongly is.
    this.#ajv = new Ajv2020({ strict: true, strictTypes: false, allErrors: true });
    (formats as unknown as (ajv: Ajv2020) => void)(this.#ajv);
    for (const word of ["x-since", "x-older", "components"]) this.#ajv.addKeyword(word);
    this.#ajv.addSchema({ $id: "api", components: this.#document.components } as object, "api");
  }

  get operations(): { method: string; path: string; operationId: string }[] {
    return Object.entries(this.#document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, { operationId }]) => ({
        method: method.toUpperCase(),
        path,
        operationId,
      })),
    );
  }

  get names(): string[] {
    return Object.keys(this.#document.components.schemas);
  }

  /** What is wrong with `value` as a `name`; empty when nothing is. */
  problemsOf(name: string, value: unknown): string[] {
    const validate = this.#compile(name);
    if (validate(value)) return [];
    return (validate.errors ?? []).map(
      ({ instancePath, message }) => `${instancePath} ${String(message)}`,
    );
  }

  #compile(name: string): ValidateFunction {
    const found = this.#ajv.getSchema(`api#/components/schemas/${name}`);
    if (found === undefined) throw new Error(`the document has no schema ${name}`);
    return found;
  }
}

interface OpenApi {
  paths: Record<string, Record<string, { operationId: string }>>;
  components: { schemas: Record<string, object> };
}
