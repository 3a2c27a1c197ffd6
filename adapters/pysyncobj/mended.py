"""What is mended of the library, by the name of the option that leaves it as it is: FINDINGS.md has the defects."""

from __future__ import annotations

from patches import Patch

MENDED: dict[str, tuple[Patch, ...]] = {
    "commit-before-dump": (
        Patch(
            "__onMessageReceived",
            """
            elif serialized is not None:
                if self.__serializer.setTransmissionData(serialized):
                    self.__loadDumpFile(clearJournal=True)
                    self.__sendNextNodeIdx(node, success=True)
            """,
            """
            elif not self.__serializer.setTransmissionData(serialized):
                return
            else:
                self.__loadDumpFile(clearJournal=True)
                self.__sendNextNodeIdx(node, success=True)
            """,
        ),
    ),
    "finish-early": (
        Patch(
            "__sendAppendEntries",
            "elif pos + batchSizeBytes >= len(entries[0][0]):",
            "elif pos + batchSizeBytes >= len(entry):",
        ),
    ),
    "optimistic-from-the-start": (
        Patch(
            "__sendAppendEntries",
            """
            entries = self.__getEntries(nextNodeIndex, None, batchSizeBytes)
            self.__raftNextIndex[node] = entries[-1][1] + 1
            """,
            """
            entries = self.__getEntries(nextNodeIndex, None, batchSizeBytes)
            if prevLogIdx is None or self.__raftMatchIndex[node] >= prevLogIdx:
                self.__raftNextIndex[node] = entries[-1][1] + 1
            """,
        ),
        Patch(
            "__sendAppendEntries",
            """
            nextNodeIndex = self.__raftNextIndex[node]

            sendSingle = False
            """,
            """
            if self.__raftLog[0][1] < nextNodeIndex > self.__raftMatchIndex[node] + 1:
                break
            nextNodeIndex = self.__raftNextIndex[node]

            sendSingle = False
            """,
        ),
    ),
    "cut-what-matches": (
        Patch(
            "__onMessageReceived",
            """
            if len(prevEntries) > 1:
                # rollback cluster changes
            """,
            """
            nextNodeIdx = prevLogIdx + len(newEntries) + 1
            while newEntries and len(prevEntries) > 1 and newEntries[0][2] == prevEntries[1][2]:
                prevLogIdx, prevEntries, newEntries = prevLogIdx + 1, prevEntries[1:], newEntries[1:]
            if newEntries and len(prevEntries) > 1:
                # rollback cluster changes
            """,
        ),
        Patch(
            "__onMessageReceived",
            """
            nextNodeIdx = prevLogIdx + 1
            if newEntries:
                nextNodeIdx = newEntries[-1][1] + 1

            self.__sendNextNodeIdx(node, nextNodeIdx=nextNodeIdx, success=True)
            """,
            """
            leaderCommitIndex = min(leaderCommitIndex, nextNodeIdx - 1)
            self.__sendNextNodeIdx(node, nextNodeIdx=nextNodeIdx, success=True)
            """,
        ),
    ),
    "changes-overlap": (
        Patch(
            "_checkCommandsToApply",
            "self.__raftLog.add(command, idx, term)",
            """
            self.__raftLog.add(command, idx, term)
            if changeClusterRequest is not None:
                self.__changeClusterIDx = idx
            """,
        ),
    ),
    # The rest of it is in `PySyncObjNode.boot`.
    "changes-when-applied": (
        Patch("__doApplyCommand", "self.__doChangeCluster(clusterChangeRequest)", "pass"),
    ),
}
