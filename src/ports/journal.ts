/**
 * A local record of what is acknowledged and not yet where it belongs. What was appended survives the death of the
 * process; it is kept in parts, which are dropped when their records are stored elsewhere.
 */
export interface Journal {
  /** Appends records, none of which holds a line break. @throws SekishoError storage_unavailable: nothing counts as appended. */
  append(records: readonly string[]): void;
  /** Ends the current part, if it has any records, and gives its number; later records go into the next one. */
  cut(): number;
  /** Drops a part and every one before it. */
  drop(part: number): void;
  /** The records of earlier processes that were not dropped, oldest first; a record that was torn is left out. */
  left(): string[];
  close(): void;
}
