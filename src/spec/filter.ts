/** What a metadata field is compared with. */
export type FilterValue = string | number | boolean;

/**
 * A condition on the metadata of documents. A field that holds a list matches by any element; numbers and booleans
 * equal their text.
 */
export type MetadataFilter =
  | { kind: 'in'; field: string; values: readonly FilterValue[] }
  /** Numbers by size; texts (ISO dates among them) by code point. A bound that is absent does not bind. */
  | {
      kind: 'range';
      field: string;
      gt?: string | number;
      gte?: string | number;
      lt?: string | number;
      lte?: string | number;
    }
  | { kind: 'exists'; field: string }
  | { kind: 'prefix'; field: string; text: string }
  | { kind: 'and' | 'or'; filters: readonly MetadataFilter[] }
  | { kind: 'not'; filter: MetadataFilter };
