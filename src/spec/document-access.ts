/**
 * Who may find a document: a caller with one of the roles, one of the groups, or one of the values of an attribute.
 * A document without it is open to every caller who may use its collection.
 */
export interface DocumentAccess {
  roles?: readonly string[];
  groups?: readonly string[];
  attributes?: Readonly<Record<string, readonly string[]>>;
}
