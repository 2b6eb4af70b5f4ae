import { EventStreamCodec, type Message } from '@smithy/eventstream-codec';

const codec = new EventStreamCodec(
  (bytes) => Buffer.from(bytes).toString('utf8'),
  (text) => Buffer.from(text),
);

/** One message of an AWS event stream, as ConverseStream sends its events. */
export function eventMessage(name: string, payload: object): Buffer {
  return messageOf({ ':event-type': name, ':content-type': 'application/json', ':message-type': 'event' }, payload);
}

/** A message that tells why there is no answer. */
export function exceptionMessage(name: string, payload: object): Buffer {
  return messageOf(
    { ':exception-type': name, ':content-type': 'application/json', ':message-type': 'exception' },
    payload,
  );
}

function messageOf(names: Readonly<Record<string, string>>, payload: object): Buffer {
  const headers: Message['headers'] = {};
  for (const [name, value] of Object.entries(names)) headers[name] = { type: 'string', value };
  return Buffer.from(codec.encode({ headers, body: Buffer.from(JSON.stringify(payload)) }));
}
