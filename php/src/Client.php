<?php

declare(strict_types=1);

namespace FrankenPHP\WebSocket;

/**
 * Anyone who is connected, by id: new Client($id) works in every PHP code of the server and costs nothing.
 *
 * It is a name for a client, not the connection, which lives in the core. A client may be gone at any time, so that is no error:
 * what does something to it returns false, lists are empty, and facts() is null.
 */
class Client
{
    /**
     * @param string $id the client's public id
     *
     * @phpstan-readonly-allow-private-mutation
     */
    public function __construct(public string $id)
    {
    }

    /**
     * Sends a text message.
     *
     * @return bool false when it was not queued: the client's outbox is full, or the client is gone
     *
     * @throws InvalidArgumentException when $data is not UTF-8 or larger than allowed
     */
    public function send(string $data): bool
    {
        return \frankenphp_ws_send($this->id, $data);
    }

    /**
     * Sends a value as a text message of JSON. Nothing is sent when it cannot be encoded.
     *
     * @param int $flags of json_encode(), beside JSON_THROW_ON_ERROR, JSON_UNESCAPED_UNICODE and JSON_UNESCAPED_SLASHES
     *
     * @return bool false when it was not queued: the client's outbox is full, or the client is gone
     *
     * @throws \JsonException          when $value cannot be encoded
     * @throws InvalidArgumentException when the JSON is larger than allowed
     */
    public function sendJson(mixed $value, int $flags = 0): bool
    {
        return $this->send(Json::encode($value, $flags));
    }

    /**
     * Sends a binary message.
     *
     * @return bool false when it was not queued: the client's outbox is full, or the client is gone
     *
     * @throws InvalidArgumentException when $data is larger than allowed
     */
    public function sendBinary(string $data): bool
    {
        return \frankenphp_ws_send($this->id, $data, null, true);
    }

    /**
     * Starts the closing handshake. onClose follows when it is over.
     *
     * @param int    $code   1000 to 1003, 1007 to 1014, or 3000 to 4999
     * @param string $reason at most 123 bytes of UTF-8
     *
     * @return bool false when it is gone already
     *
     * @throws InvalidArgumentException when the code or the reason cannot be sent
     */
    public function close(int $code = 1000, string $reason = ''): bool
    {
        return \frankenphp_ws_close($this->id, $code, $reason);
    }

    /**
     * Cuts the connection without a closing handshake. onClose follows with the code 1006.
     *
     * @return bool false when it is gone already
     */
    public function cut(): bool
    {
        return \frankenphp_ws_killConnection($this->id);
    }

    /**
     * Adds a tag, which any PHP code may then send to; it goes when the connection goes. A second time changes nothing.
     *
     * Where the route keeps a history of the tag, it can be sent what it has missed:
     *
     *     $connection->tag('room:7', since: ''); // all that is kept, and then what is sent from now on
     *
     * @param string      $tag   1 to 255 bytes of UTF-8
     * @param string|null $since a position that frankenphp_ws_history() has given; "": all that is kept; null: nothing
     *
     * @return bool false when the client is gone
     *
     * @throws InvalidArgumentException when the tag is empty, too long or not UTF-8, the client has too many, $since is no position, or no
     *                                  history is kept of the tag
     */
    public function tag(string $tag, ?string $since = null): bool
    {
        return \frankenphp_ws_tagClient($this->id, $tag, $since);
    }

    /**
     * Removes a tag; one that it does not have is no error.
     *
     * @param string $tag 1 to 255 bytes of UTF-8
     *
     * @return bool false when the client is gone
     *
     * @throws InvalidArgumentException when the tag is empty, too long or not UTF-8
     */
    public function untag(string $tag): bool
    {
        return \frankenphp_ws_untagClient($this->id, $tag);
    }

    /** @return list<string> sorted; empty when the client is gone */
    public function tags(): array
    {
        return \frankenphp_ws_getTags($this->id);
    }

    /** @return bool false, too, when the client is gone */
    public function hasTag(string $tag): bool
    {
        return in_array($tag, \frankenphp_ws_getTags($this->id), true);
    }

    /**
     * Says whose the client is. A user may have many clients: Clients::ofUser().
     *
     * @param string|null $user what the application knows the user by, 1 to 255 bytes of UTF-8; null: it is nobody's
     * @param string      $info what channels with presence tell of the user, at most 4096 bytes
     *
     * @return bool false when the client is gone
     *
     * @throws InvalidArgumentException when the user or the information is not allowed
     */
    public function setUser(?string $user, string $info = ''): bool
    {
        return \frankenphp_ws_setUser($this->id, $user, $info);
    }

    /** Whose the client is; null: nobody's, or it is gone. */
    public function user(): ?string
    {
        $user = $this->facts()['user'] ?? '';

        return $user === '' ? null : $user;
    }

    /** What is stored about the client; it goes with the client. */
    public function information(): Information
    {
        return new Information($this);
    }

    /**
     * Gives the client another id, which this object has from then on. Tags, stored information, queued messages and the order of
     * events stay.
     *
     * @param string $id 1 to 255 bytes of UTF-8
     *
     * @return bool false when the id is taken, or the connection is gone
     *
     * @throws InvalidArgumentException when the id is not allowed
     */
    public function rename(string $id): bool
    {
        if (!\frankenphp_ws_renameConnection($this->id, $id)) {
            return false;
        }
        $this->id = $id;

        return true;
    }

    /**
     * What the server knows about the connection: path, ip, transport, times, and what went both ways.
     *
     * @return array{id: string, route: string, path: string, ip: string, subprotocol: string, transport: string, user: string, connected: bool, connected_at: float, last_message_at: float|null, messages_received: int, bytes_received: int, messages_sent: int, bytes_sent: int, messages_dropped: int, messages_discarded: int, queued_bytes: int, ping_time: int, tags: list<string>}|null
     *         see frankenphp_ws_getClient(); null when the client is gone
     */
    public function facts(): ?array
    {
        return \frankenphp_ws_getClient($this->id);
    }
}
