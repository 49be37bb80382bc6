export interface User {
  readonly id: string;
  readonly name: string;
}

/** In place of a database: gone when the process ends. */
export const users = new Map<string, User>([['1', { id: '1', name: 'Ada' }]]);

export function addUser(name: string): User {
  const user = { id: String(users.size + 1), name };
  users.set(user.id, user);
  return user;
}
