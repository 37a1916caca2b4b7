// The Node opponent: what a team gets that writes Relay's events in a few lines over socket.io.
//
// It has no metrics and no log, so that the comparison is with Socket.IO itself. Like any Node
// server it uses one core. With REDIS_URL it is one of a cluster, by the classic adapter.

import { createServer } from "node:http";
import { createAdapter } from "@socket.io/redis-adapter";
import { Redis } from "ioredis";
import { Server } from "socket.io";

const port = Number(process.env.PORT ?? 5000);
const http = createServer((_request, response) => response.writeHead(404).end());
const server = new Server(http);
if (process.env.REDIS_URL) {
  const publisher = new Redis(process.env.REDIS_URL);
  server.adapter(createAdapter(publisher, publisher.duplicate()));
}
const relay = server.of("/relay");

/** Sends `data` as `event` to whom its `destino` names; anything unknown goes to the sender. */
function route(socket, event, data) {
  switch (data?.destino) {
    case "ustedes":
      return socket.broadcast.emit(event, data);
    case "nosotros":
      return relay.emit(event, data);
    case "room":
      return relay.to(data.room).emit(event, data);
    default:
      return socket.emit(event, data);
  }
}

relay.on("connection", (socket) => {
  socket.on("identificar", (usuario, ack) => {
    socket.data.usuario = usuario;
    ack?.(true);
  });
  socket.on("unirse", (room, ack) => {
    socket.join(room);
    ack?.(true);
  });
  socket.on("relay", (data) => route(socket, "relay", data));
  socket.on("notificar", (data) => route(socket, "notificar", data));
});

http.listen(port, () => console.log(`node opponent on port ${port}`));
