//! A product that stands on raft-rs with `prost-codec`.

/// What the product does with raft: here, no more than to name its messages.
pub fn heartbeat(to: u64) -> raft::eraftpb::Message {
    let mut message = raft::eraftpb::Message::default();
    message.set_msg_type(raft::eraftpb::MessageType::MsgHeartbeat);
    message.to = to;
    message
}

#[cfg(test)]
mod tests {
    use squall::raft_rs::RaftRs;

    #[test]
    fn raft_survives_the_storm_with_this_codec() {
        let heartbeat = squall::raft_rs::kit::label(&super::heartbeat(2));
        assert_eq!(heartbeat.to, squall::ids::NodeId(2));
        squall::check(RaftRs).seeds(0..20).run();
    }
}
