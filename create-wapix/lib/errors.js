/** An error to be shown to the user: its code is stable, the message is for people. */
export class CreateError extends Error {
  constructor(code, message, exitCode = 1) {
    super(message);
    this.code = code;
    this.exitCode = exitCode;
  }
}
