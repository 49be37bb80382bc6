// What an event loop costs that only has events to make: nobody is sent any.
import { publishing } from './events.mjs';

publishing((data) => JSON.stringify(data));
console.log(0);
