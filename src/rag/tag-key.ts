/**
 * A key as it stands in a tag: in NFC, without `=`, and without a `%` that is not followed by `25` or `3D`. A tag that
 * begins with any other `%` is made by nobody's metadata.
 */
export function escapedKey(key: string): string {
  return key
    .toWellFormed()
    .normalize('NFC')
    .replace(/[%=]/g, (character) => (character === '%' ? '%25' : '%3D'));
}
