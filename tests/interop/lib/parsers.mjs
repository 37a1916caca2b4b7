// The parsers of a cluster, as their users give them to adapter and emitter, by the name that Relay has
// for each.
import * as msgpackr from "msgpackr";

export const parsers = {
  notepack: undefined,
  json: { encode: JSON.stringify, decode: JSON.parse },
  msgpackr: { encode: msgpackr.pack, decode: msgpackr.unpack },
};
