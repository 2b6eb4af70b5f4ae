import { arrayAt, isJsonObject, objectAt, stringAt, type JsonObject, type JsonValue } from '../../../src/lib/json.ts';

/** One field of a body or one parameter, flattened: `messages[].role`. */
export interface Field {
  name: string;
  type: string;
  required: boolean;
  about: string;
  place?: string;
}

export interface Operation {
  id: string;
  method: string;
  path: string;
  group: string;
  summary: string;
  about: string;
  deprecated: boolean;
  parameters: Field[];
  bodyType: string;
  body: Field[];
  responses: { status: string; about: string; fields: Field[] }[];
  curl: string;
}

const METHODS = ['get', 'post', 'put', 'patch', 'delete'];
const DEEPEST = 4;
const MOST_FIELDS = 120;

/** Every operation of an OpenAPI 3 document, in its order. What is malformed is left out, never thrown. */
export function readOperations(document: JsonObject, origin: string): Operation[] {
  const schemas = new SchemaReader(document);
  return Object.entries(objectAt(document, 'paths') ?? {}).flatMap(([path, item]) => {
    if (!isJsonObject(item)) return [];
    return METHODS.flatMap((method) => {
      const operation = objectAt(item, method);
      if (operation === undefined) return [];
      const shared = arrayAt(item, 'parameters');
      return [readOperation({ schemas, path, method, operation, shared, origin })];
    });
  });
}

interface OperationInput {
  schemas: SchemaReader;
  path: string;
  method: string;
  operation: JsonObject;
  shared: JsonValue[];
  origin: string;
}

function readOperation(input: OperationInput): Operation {
  const { schemas, path, method, operation } = input;
  const content = objectAt(schemas.follow(operation['requestBody']), 'content') ?? {};
  const bodyType = Object.keys(content)[0] ?? '';
  const bodySchema = schemas.follow(objectAt(content, bodyType)?.['schema']);
  const tag = arrayAt(operation, 'tags')[0];
  const parameters = [...input.shared, ...arrayAt(operation, 'parameters')].map((each) =>
    readParameter(schemas.follow(each), schemas),
  );
  const responses = Object.entries(objectAt(operation, 'responses') ?? {}).map(([status, each]) => {
    const response = schemas.follow(each);
    const media = Object.values(objectAt(response, 'content') ?? {}).find(isJsonObject);
    return {
      status,
      about: stringAt(response, 'description') ?? '',
      fields: media === undefined ? [] : schemas.fields(media['schema']),
    };
  });
  return {
    id: `${method}-${path}`.replace(/[^a-zA-Z0-9]+/g, '-').replace(/-+$/, ''),
    method: method.toUpperCase(),
    path,
    group: typeof tag === 'string' ? tag : '',
    summary: stringAt(operation, 'summary') ?? '',
    about: stringAt(operation, 'description') ?? '',
    deprecated: operation['deprecated'] === true,
    parameters,
    bodyType,
    body: schemas.fields(bodySchema),
    responses,
    curl: curlOf(input, bodyType, bodyType === '' ? undefined : schemas.example(bodySchema)),
  };
}

function readParameter(parameter: JsonObject, schemas: SchemaReader): Field {
  return {
    name: stringAt(parameter, 'name') ?? '',
    place: stringAt(parameter, 'in') ?? '',
    type: schemas.typeOf(schemas.follow(parameter['schema'])),
    required: parameter['required'] === true,
    about: stringAt(parameter, 'description') ?? '',
  };
}

function curlOf(input: OperationInput, bodyType: string, example: JsonValue | undefined): string {
  const lines = [
    `curl ${input.method === 'get' ? '' : `-X ${input.method.toUpperCase()} `}${input.origin}${input.path}`,
  ];
  if (input.path.startsWith('/v1')) lines.push(`  -H "Authorization: Bearer $SEKISHO_KEY"`);
  if (bodyType.includes('json')) {
    lines.push(`  -H "Content-Type: application/json"`);
    lines.push(`  -d '${JSON.stringify(example ?? {}, null, 2).replaceAll("'", `'\\''`)}'`);
  } else if (bodyType === 'multipart/form-data') lines.push('  -F "file=@document.pdf"');
  return lines.join(' \\\n');
}

/** A schema, the name it stands under, and the schemas around it: one of them again would never end. */
interface Place {
  schema: JsonObject;
  prefix: string;
  trail: readonly JsonObject[];
}

/** Follows `$ref`s within one document and turns schemas into rows and examples; bounded in depth and number. */
class SchemaReader {
  readonly #document: JsonObject;

  constructor(document: JsonObject) {
    this.#document = document;
  }

  /** The object itself, or what its local `$ref` names; an empty object where there is none. */
  follow(value: JsonValue | undefined): JsonObject {
    let current = value;
    for (let hops = 0; hops < 8; hops += 1) {
      if (!isJsonObject(current)) return {};
      const reference = stringAt(current, '$ref');
      if (reference === undefined) return current;
      current = this.#resolve(reference);
    }
    return {};
  }

  fields(schema: JsonValue | undefined): Field[] {
    const rows: Field[] = [];
    this.#collect({ schema: this.follow(schema), prefix: '', trail: [] }, rows);
    return rows;
  }

  typeOf(schema: JsonObject): string {
    const options = [...arrayAt(schema, 'anyOf'), ...arrayAt(schema, 'oneOf')];
    if (options.length > 0) {
      return [...new Set(options.slice(0, 6).map((each) => this.typeOf(this.follow(each))))].join(' | ');
    }
    const values = arrayAt(schema, 'enum');
    if (values.length > 0)
      return values
        .slice(0, 8)
        .map((value) => JSON.stringify(value))
        .join(' | ');
    if (schema['const'] !== undefined) return JSON.stringify(schema['const']);
    const type = schema['type'];
    if (type === 'array') return `${this.typeOf(this.follow(schema['items']))}[]`;
    if (Array.isArray(type)) return type.filter((each) => typeof each === 'string').join(' | ');
    return typeof type === 'string' ? type : 'any';
  }

  example(schema: JsonObject, depth = 0): JsonValue {
    const given = schema['example'] ?? arrayAt(schema, 'examples')[0] ?? schema['default'] ?? schema['const'];
    if (given !== undefined) return given;
    const choice = arrayAt(schema, 'enum')[0] ?? null;
    if (choice !== null) return choice;
    const option = [...arrayAt(schema, 'anyOf'), ...arrayAt(schema, 'oneOf')][0];
    if (option !== undefined && depth < DEEPEST) return this.example(this.follow(option), depth + 1);
    if (schema['type'] === 'array')
      return depth < DEEPEST ? [this.example(this.follow(schema['items']), depth + 1)] : [];
    if (schema['type'] === 'string') return '…';
    if (schema['type'] === 'integer' || schema['type'] === 'number') return 1;
    if (schema['type'] === 'boolean') return true;
    return depth < DEEPEST ? this.#exampleObject(schema, depth) : {};
  }

  #exampleObject(schema: JsonObject, depth: number): JsonObject {
    const required = arrayAt(schema, 'required');
    const example: JsonObject = {};
    for (const [name, property] of Object.entries(objectAt(schema, 'properties') ?? {})) {
      if (required.includes(name)) example[name] = this.example(this.follow(property), depth + 1);
    }
    return example;
  }

  #collect(at: Place, rows: Field[]): void {
    const { schema, prefix } = at;
    if (at.trail.length > DEEPEST || at.trail.includes(schema)) return;
    const trail = [...at.trail, schema];
    for (const part of arrayAt(schema, 'allOf')) this.#collect({ schema: this.follow(part), prefix, trail }, rows);
    if (schema['type'] === 'array') {
      this.#collect({ schema: this.follow(schema['items']), prefix: `${prefix}[]`, trail }, rows);
      return;
    }
    const required = arrayAt(schema, 'required');
    for (const [key, value] of Object.entries(objectAt(schema, 'properties') ?? {})) {
      if (rows.length >= MOST_FIELDS) return;
      const property = this.follow(value);
      const name = prefix === '' ? key : `${prefix}.${key}`;
      const about = stringAt(property, 'description') ?? '';
      rows.push({ name, type: this.typeOf(property), required: required.includes(key), about });
      this.#collect({ schema: property, prefix: name, trail }, rows);
    }
  }

  #resolve(reference: string): JsonValue | undefined {
    if (!reference.startsWith('#/')) return undefined;
    let current: JsonValue | undefined = this.#document;
    for (const step of reference.slice(2).split('/')) {
      if (!isJsonObject(current)) return undefined;
      const name = step.replaceAll('~1', '/').replaceAll('~0', '~');
      current = Object.hasOwn(current, name) ? current[name] : undefined;
    }
    return current;
  }
}
