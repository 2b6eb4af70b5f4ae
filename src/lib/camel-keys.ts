/** `snake_case` as `snakeCase`. */
type Camel<S extends string> = S extends `${infer Head}_${infer Tail}` ? `${Head}${Capitalize<Camel<Tail>>}` : S;
type Snake<S extends string> = S extends `${infer Head}${infer Tail}`
  ? `${Head extends Lowercase<Head> ? Head : `_${Lowercase<Head>}`}${Snake<Tail>}`
  : S;

export type CamelKeys<T> = T extends readonly (infer Element)[]
  ? CamelKeys<Element>[]
  : T extends object
    ? { [Key in keyof T as Key extends string ? Camel<Key> : Key]: CamelKeys<T[Key]> }
    : T;
export type SnakeKeys<T> = T extends readonly (infer Element)[]
  ? SnakeKeys<Element>[]
  : T extends object
    ? { [Key in keyof T as Key extends string ? Snake<Key> : Key]: SnakeKeys<T[Key]> }
    : T;

/** The same JSON with its keys as the code writes them; `verbatim` names fields whose own keys are data. */
export function camelKeys<T>(value: T, verbatim: readonly string[] = []): CamelKeys<T> {
  const camel = (key: string): string => key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  return renamed(value, camel, verbatim) as CamelKeys<T>;
}

/** The same JSON with its keys as the wire writes them; `verbatim` names fields whose own keys are data. */
export function snakeKeys<T>(value: T, verbatim: readonly string[] = []): SnakeKeys<T> {
  const snake = (key: string): string => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return renamed(value, snake, verbatim) as SnakeKeys<T>;
}

function renamed(value: unknown, rename: (key: string) => string, verbatim: readonly string[]): unknown {
  if (Array.isArray(value)) return value.map((each) => renamed(each, rename, verbatim));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]: [string, unknown]) => [
      rename(key),
      verbatim.includes(key) ? inner : renamed(inner, rename, verbatim),
    ]),
  );
}
