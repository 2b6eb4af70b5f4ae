import type { z } from 'zod';

/** One address and verb, as the description of the HTTP interface tells of it. */
export interface Operation {
  method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  path: string;
  tag: string;
  summary: string;
  query?: z.ZodObject;
  body?: z.ZodType;
  answer?: z.ZodType;
  /** The media type where it is not JSON, or may also be an event stream. */
  media?: 'multipart' | 'text' | 'stream';
  open?: true;
  status?: 201 | 202;
}
