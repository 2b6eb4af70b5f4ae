const DATA_URL = /^data:([^;,]+)(?:;[^;,]*)*;base64,/;

/** The media type and base64 data of a `data:` URL; undefined for any other. */
export function inlineData(url: string): { mediaType: string; data: string } | undefined {
  const head = DATA_URL.exec(url);
  if (head === null) return undefined;
  const mediaType = (head[1] ?? '').toLowerCase();
  return { mediaType: mediaType === 'image/jpg' ? 'image/jpeg' : mediaType, data: url.slice(head[0].length) };
}
