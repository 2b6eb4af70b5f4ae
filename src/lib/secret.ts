const hidden = new WeakMap<Secret, string>();

/**
 * A string that must not be printed: every way of turning it into text gives `[secret]`.
 * `reveal()` is the one way to the value and is called only where it goes onto the wire.
 */
export class Secret {
  constructor(value: string) {
    hidden.set(this, value);
  }

  reveal(): string {
    return hidden.get(this) ?? '';
  }

  toString(): string {
    return '[secret]';
  }

  toJSON(): string {
    return '[secret]';
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return '[secret]';
  }
}
