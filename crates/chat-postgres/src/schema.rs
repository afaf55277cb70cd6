//! The tables as the migrations make them, in the form that diesel's query builder needs. A test compares the two.

diesel::table! {
    chat_sessions (id) {
        id -> Uuid,
        user_id -> Text,
        agent_id -> Nullable<Text>,
        status -> Text,
        priority -> Text,
        subject -> Nullable<Text>,
        tags -> Text,
        started_at -> BigInt,
        ended_at -> Nullable<BigInt>,
        last_seq -> BigInt,
        message_count -> BigInt,
        waiting_since -> Nullable<BigInt>,
        unread_by_user -> BigInt,
        unread_by_support -> BigInt,
        user_delivered_seq -> BigInt,
        support_delivered_seq -> BigInt,
        created_by -> Text,
        idempotency_key -> Nullable<Text>,
        fingerprint -> Nullable<Binary>,
        user_read_seq -> BigInt,
        support_read_seq -> BigInt,
        last_event_at -> BigInt,
        opened_with -> Nullable<Text>,
        last_message -> Nullable<Text>,
        last_activity_at -> Nullable<BigInt>,
        queue_place -> Nullable<BigInt>,
        settled_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    chat_messages (session_id, seq) {
        session_id -> Uuid,
        seq -> BigInt,
        id -> Uuid,
        author_id -> Text,
        sender -> Text,
        content -> Text,
        created_at -> BigInt,
        delivered_at -> Nullable<BigInt>,
        read_at -> Nullable<BigInt>,
        attachment_count -> Integer,
        idempotency_key -> Nullable<Text>,
        fingerprint -> Nullable<Binary>,
    }
}

diesel::table! {
    chat_session_events (session_id, seq) {
        session_id -> Uuid,
        seq -> BigInt,
        kind -> Text,
        actor -> Text,
        at -> BigInt,
        data -> Text,
    }
}

diesel::table! {
    chat_attachments (session_id, seq, position) {
        session_id -> Uuid,
        seq -> BigInt,
        position -> Integer,
        id -> Uuid,
        name -> Text,
        media_type -> Text,
        size -> BigInt,
        sha256 -> Binary,
        width -> Nullable<BigInt>,
        height -> Nullable<BigInt>,
        duration -> Nullable<Double>,
        dominant_color -> Nullable<Integer>,
    }
}

diesel::table! {
    chat_uploads (id) {
        id -> Uuid,
        session_id -> Uuid,
        uploader_id -> Text,
        uploaded_at -> BigInt,
        name -> Text,
        media_type -> Text,
        size -> BigInt,
        sha256 -> Binary,
        width -> Nullable<BigInt>,
        height -> Nullable<BigInt>,
        duration -> Nullable<Double>,
        dominant_color -> Nullable<Integer>,
    }
}

diesel::table! {
    chat_agents (id) {
        id -> Text,
        display_name -> Nullable<Text>,
        active -> Bool,
        created_at -> BigInt,
        status -> Nullable<Text>,
    }
}

diesel::table! {
    chat_agent_presence (agent_id) {
        agent_id -> Text,
        seen_at -> BigInt,
    }
}

diesel::table! {
    chat_stats (writer) {
        writer -> Integer,
        opened -> BigInt,
        closed -> BigInt,
        messages -> BigInt,
        responses -> BigInt,
        response_time_ms -> BigInt,
    }
}

diesel::table! {
    chat_session_counts (scope, holder, status, writer) {
        scope -> Text,
        holder -> Text,
        status -> Text,
        writer -> Integer,
        count -> BigInt,
    }
}

diesel::table! {
    chat_identity (id) {
        id -> Text,
    }
}

diesel::table! {
    chat_epoch (epoch) {
        epoch -> Text,
    }
}

diesel::table! {
    chat_orphans (id) {
        id -> Uuid,
        marked_at -> BigInt,
        condemned_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    chat_collector (only_row) {
        only_row -> Bool,
        generation -> Nullable<Uuid>,
        next -> Nullable<Uuid>,
    }
}

diesel::table! {
    chat_write_probes (writer) {
        writer -> Integer,
        writes -> BigInt,
    }
}

diesel::table! {
    chat_tickets (digest) {
        digest -> Binary,
        user_id -> Text,
        role -> Text,
        name -> Nullable<Text>,
        session_id -> Uuid,
        token_expires_at -> BigInt,
        expires_at -> BigInt,
        token_issued_at -> Nullable<BigInt>,
        token_key -> Nullable<Binary>,
    }
}

diesel::table! {
    chat_revocations (person_id) {
        person_id -> Text,
        signed_out_at -> Nullable<BigInt>,
        is_blocked -> Bool,
        version -> BigInt,
    }
}

diesel::table! {
    chat_revocation_version (only_row) {
        only_row -> Bool,
        version -> BigInt,
    }
}

diesel::table! {
    chat_fanout_key (key) {
        key -> Binary,
    }
}

diesel::table! {
    chat_people (id) {
        id -> Text,
        name -> Nullable<Text>,
        avatar_url -> Nullable<Text>,
        updated_at -> BigInt,
    }
}
